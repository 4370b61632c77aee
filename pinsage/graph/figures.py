"""The size of a graph and the spread of its saves: the figures of the stage `connect`.

Letters: P pins, B boards, S saves.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pinsage.graph.csr import BipartiteGraph

Figures = dict[str, int | float]


def graph_figures(graph: BipartiteGraph) -> Figures:
    """Pins, boards, saves and degrees; takes memory for pins and boards, none for saves.

    `connected_pins_share` is the share of pins from which a walk reaches another pin.
    """
    pins, boards = graph.pin_degrees, graph.board_degrees
    return {
        "pins": graph.num_pins,
        "boards": graph.num_boards,
        "saves": graph.num_saves,
        "isolated_pins": int(np.count_nonzero(pins == 0)),
        "empty_boards": int(np.count_nonzero(boards == 0)),
        "connected_pins_share": round(_num_connected(graph) / max(graph.num_pins, 1), 4),
        "median_boards_per_pin": float(np.median(pins)) if len(pins) else 0.0,
        "max_boards_per_pin": int(pins.max(initial=0)),
        "median_pins_per_board": float(np.median(boards)) if len(boards) else 0.0,
        "max_pins_per_board": int(boards.max(initial=0)),
    }


def _num_connected(graph: BipartiteGraph) -> int:
    is_connected = np.zeros(graph.num_pins, np.bool_)  # [P]
    _mark_connected(graph.board_offsets, graph.board_pins, is_connected)
    return int(np.count_nonzero(is_connected))


@njit(nogil=True, cache=True)
def _mark_connected(
    board_offsets: NDArray[np.int64], board_pins: NDArray[np.int32], is_connected: NDArray[np.bool_]
) -> None:
    """Mark the pins that reach another one, which are those on a board with at least two pins."""
    for board in range(len(board_offsets) - 1):
        if board_offsets[board + 1] - board_offsets[board] >= 2:
            for save in range(board_offsets[board], board_offsets[board + 1]):
                is_connected[board_pins[save]] = True
