"""Factorize the training saves: a vector of every pin, and beside it how often the pin was saved."""

import numpy as np
from numpy.typing import NDArray

from pinsage.catalog.catalog import Catalog
from pinsage.catalog.ids import rows_among
from pinsage.features.folding import KnownFactors, write_folded_features
from pinsage.features.spectral import write_spectral_features
from pinsage.graph.csr import BipartiteGraph
from pinsage.graph.sessions import walk_graph_folder
from pinsage.pairs.sessions import same_sessions
from pinsage.store.arrays import save_array
from pinsage.store.manifest import Facts
from tasks.running.work import StageWork


def featurize_saves(work: StageWork) -> Facts:
    """Write the spectral features of every pin, the boards' factors and the block `log_degree`.

    Returns:
        How much of the saves the vectors hold.

    Raises:
        ArtifactDamagedError: the graph cannot be opened, or names boards that are not there.
    """
    return write_spectral_features(_open_graph(work), work.settings.spectral, work.out)


def fold_saves(work: StageWork) -> Facts:
    """Write what `featurize_saves` does, in the columns of the run whose model a refresh uses.

    Returns:
        How many boards and sessions that run knew, and how many are new.

    Raises:
        ArtifactDamagedError: as `featurize_saves`.
    """
    graph = _open_graph(work)
    known = KnownFactors.open(work.fitted["featurize_saves"], _known_rows(work, graph.num_boards))
    return write_folded_features(graph, known, work.settings.spectral, work.out)


def _open_graph(work: StageWork) -> BipartiteGraph:
    """The graph to factorize; the degrees of its pins are written on the way."""
    connect = work.inputs["connect"]
    degrees = BipartiteGraph.open(connect).pin_degrees  # of boards alone: a session is no save
    save_array(work.out / "log_degree.npy", np.log1p(degrees).astype(np.float32))
    folder = walk_graph_folder(connect)
    graph = BipartiteGraph.open(folder)
    graph.check_columns(folder)
    return graph


def _known_rows(work: StageWork, num_rows: int) -> NDArray[np.int32]:
    """The row of each board and session in the graph of the model's run, -1 for a new one: int32 [num_rows]."""
    ids, known_ids = (
        Catalog.open(folder).boards()["board_id"] for folder in (work.inputs["ingest"], work.fitted["ingest"])
    )
    boards = rows_among(ids, known_ids)
    if num_rows == len(boards):
        return boards
    sizes, known_sizes = (
        BipartiteGraph.open(folder).board_degrees for folder in (work.inputs["connect"], work.fitted["connect"])
    )
    if walk_graph_folder(work.fitted["connect"]) == work.fitted["connect"]:
        known_sizes = np.zeros_like(known_sizes)  # there were no sessions then
    sessions = same_sessions(boards, sizes, known_sizes, work.settings.pairs.session_length)
    return np.concatenate([boards, np.where(sessions >= 0, sessions + len(known_ids), -1)]).astype(np.int32)
