"""Factorize the training saves: a vector of every pin, and beside it how often the pin was saved."""

import numpy as np

from pinsage.features.spectral import write_spectral_features
from pinsage.graph.csr import BipartiteGraph
from pinsage.graph.sessions import walk_graph_folder
from pinsage.store.manifest import Facts
from tasks.running.work import StageWork


def featurize_saves(work: StageWork) -> Facts:
    """Write the spectral features of every pin, the boards' factors and the block `log_degree`.

    Returns:
        How much of the saves the vectors hold.

    Raises:
        ArtifactDamagedError: the graph cannot be opened, or names boards that are not there.
    """
    connect = work.inputs["connect"]
    degrees = BipartiteGraph.open(connect).pin_degrees  # of boards alone: a session is no save
    np.save(work.out / "log_degree.npy", np.log1p(degrees).astype(np.float32))
    folder = walk_graph_folder(connect)
    graph = BipartiteGraph.open(folder)
    graph.check_columns(folder)
    return write_spectral_features(graph, work.settings.spectral, work.out)
