"""From a list of saves to the graph, by counting: no sort, the same bytes whatever the order of the saves.

Letters: P pins, B boards, S saves.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pinsage.errors import DatasetError
from pinsage.graph.csr import BipartiteGraph


def build_graph(
    pins: NDArray[np.int32], boards: NDArray[np.int32], *, num_pins: int, num_boards: int
) -> BipartiteGraph:
    """The graph with one edge per save; a save given twice is two edges.

    Args:
        pins: int32 [S], the pin of each save.
        boards: int32 [S], the board of each save.
        num_pins: P, more than any pin.
        num_boards: B, more than any board.

    Raises:
        DatasetError: the columns differ in length, or a save names a pin or board that does not exist.
    """
    if len(pins) != len(boards):
        raise DatasetError(f"Saves have {len(pins)} pins and {len(boards)} boards. Give both columns of one table.")
    _check_bounds("pin", pins, num_pins)
    _check_bounds("board", boards, num_boards)
    pins, boards = np.ascontiguousarray(pins, dtype=np.int32), np.ascontiguousarray(boards, dtype=np.int32)
    # Rows of a transposed CSR come out ascending, so transposing twice orders both sides without a sort.
    unordered = _gathered(boards, pins, num_boards)
    pin_offsets, pin_boards = _transposed(*unordered, num_pins)
    board_offsets, board_pins = _transposed(pin_offsets, pin_boards, num_boards)
    return BipartiteGraph(pin_offsets, pin_boards, board_offsets, board_pins)


def _check_bounds(what: str, rows: NDArray[np.int32], count: int) -> None:
    low, high = (int(rows.min()), int(rows.max())) if len(rows) else (0, -1)
    if low < 0 or high >= count:
        wrong = low if low < 0 else high
        raise DatasetError(
            f"A save names {what} {wrong}, but {what}s run from 0 to {count - 1}. "
            "Make the saves and the catalog in the same run."
        )


@njit(nogil=True, cache=True)
def _row_ends(keys: NDArray[np.int32], num_rows: int) -> NDArray[np.int64]:
    offsets = np.zeros(num_rows + 1, np.int64)
    for key in keys:
        offsets[key + 1] += 1
    for row in range(num_rows):
        offsets[row + 1] += offsets[row]
    return offsets


@njit(nogil=True, cache=True)
def _gathered(
    keys: NDArray[np.int32], values: NDArray[np.int32], num_rows: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    offsets = _row_ends(keys, num_rows)
    cursor, out = offsets[:-1].copy(), np.empty(len(values), np.int32)
    for edge in range(len(keys)):
        row = keys[edge]
        out[cursor[row]] = values[edge]
        cursor[row] += 1
    return offsets, out


@njit(nogil=True, cache=True)
def _transposed(
    offsets: NDArray[np.int64], columns: NDArray[np.int32], num_columns: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    ends = _row_ends(columns, num_columns)
    cursor, out = ends[:-1].copy(), np.empty(len(columns), np.int32)
    for row in range(len(offsets) - 1):
        for edge in range(offsets[row], offsets[row + 1]):
            column = columns[edge]
            out[cursor[column]] = row
            cursor[column] += 1
    return ends, out
