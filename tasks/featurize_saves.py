"""Factorize the training saves: a vector of every pin."""

from pinsage.features.spectral import write_spectral_features
from pinsage.graph.csr import BipartiteGraph
from pinsage.graph.walked import walked_graph_folder
from pinsage.store.manifest import Facts
from tasks.running.work import StageWork


def featurize_saves(work: StageWork) -> Facts:
    """Write the spectral features of every pin and the boards' factors; return how much of the saves they hold.

    Raises:
        ArtifactDamagedError: the graph cannot be opened, or names boards that are not there.
    """
    folder = walked_graph_folder(work.inputs["connect"])
    graph = BipartiteGraph.open(folder)
    graph.check_columns(folder)
    return write_spectral_features(graph, work.settings.spectral, work.out)
