"""The graph that is walked and factorized: boards, and beside them sessions as further boards.

Letters: P pins, B boards, R boards and sessions, S saves of both.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pinsage.graph.build import check_counts
from pinsage.graph.csr import BipartiteGraph

WALKED = "walked"  # the sub-folder of the stage connect that holds it


def walk_graph_folder(connect: Path) -> Path:
    """Return the folder of the graph to walk, below what `connect` published: that of boards alone without sessions."""
    walked = connect / WALKED
    return walked if walked.is_dir() else connect


def add_sessions(graph: BipartiteGraph, sessions: BipartiteGraph) -> BipartiteGraph:
    """Join sessions to a graph: its boards keep their rows, and session i becomes row B + i.

    Where saves have weights, each save of a session weighs 1: that of the newest save, or of one without a rating.

    Args:
        graph: pins and boards.
        sessions: the same pins, and sessions in the place of boards.

    Raises:
        DatasetError: there are more rows or saves than a graph can count.
    """
    num_rows = {"pins": graph.num_pins, "boards and sessions": graph.num_boards + sessions.num_boards}
    check_counts(graph.num_saves + sessions.num_saves, num_rows)
    offsets, more = graph.pin_offsets, sessions.pin_offsets
    joined = BipartiteGraph(
        # A row of the sum is as long as both together, and begins where both before it end: offsets add up.
        pin_offsets=offsets + more,
        pin_boards=_join(offsets, graph.pin_boards, more, sessions.pin_boards + np.int32(graph.num_boards)),
        board_offsets=np.concatenate([graph.board_offsets, graph.num_saves + sessions.board_offsets[1:]]),  # [R+1]
        board_pins=np.concatenate([graph.board_pins, sessions.board_pins]),  # [S]
    )
    if graph.pin_weights is None or graph.board_weights is None:
        return joined
    ones = np.ones(sessions.num_saves, np.float32)  # [S of the sessions]
    pin_weights = _join(offsets, graph.pin_weights, more, ones)
    return replace(joined, pin_weights=pin_weights, board_weights=np.concatenate([graph.board_weights, ones]))


@njit(nogil=True, cache=True)
def _join(
    offsets: NDArray[np.int64], values: NDArray[Any], more_offsets: NDArray[np.int64], more: NDArray[Any]
) -> NDArray[Any]:
    """Lay the rows of two tables beside each other: one pass, without the room that grouping anew would take."""
    joined, at = np.empty(len(values) + len(more), values.dtype), 0
    for row in range(len(offsets) - 1):
        for place in range(offsets[row], offsets[row + 1]):
            joined[at] = values[place]
            at += 1
        for place in range(more_offsets[row], more_offsets[row + 1]):
            joined[at] = more[place]
            at += 1
    return joined
