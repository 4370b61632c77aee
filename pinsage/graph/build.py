"""From the saves to the graph, without a sort: the same bytes whatever the order of the saves.

Letters: P pins, B boards, S saves.
"""

import numpy as np
from numpy.typing import NDArray

from pinsage.catalog.catalog import Catalog
from pinsage.errors import DatasetError
from pinsage.graph.csr import BipartiteGraph
from pinsage.graph.scatter import are_ascending, group_by_key, rows_of, run_offsets

MOST_SAVES = 2**32 - 1  # what the walker's packed record, an offset in 32 bits, can count
MOST_ROWS = 2**31 - 1  # what an int32 can count


def build_graph(
    pins: NDArray[np.int32], boards: NDArray[np.int32], *, num_pins: int, num_boards: int
) -> BipartiteGraph:
    """The graph with one edge per save; a save given twice is two edges.

    Saves in ascending order of board and pin, as the stage `pair` writes them, are one side of the graph already:
    then its `board_pins` are `pins` itself, not a copy, and only the other side is scattered.

    Args:
        pins: int32 [S], the pin of each save.
        boards: int32 [S], the board of each save.
        num_pins: P, more than any pin.
        num_boards: B, more than any board.

    Raises:
        DatasetError: the columns differ in length, a save names a pin or board that does not exist, or there are more
            of them than the graph can count.
    """
    if len(pins) != len(boards):
        raise DatasetError(f"Saves have {len(pins)} pins and {len(boards)} boards. Give both columns of one table.")
    check_counts(len(pins), {"pins": num_pins, "boards": num_boards})
    # Before the compiled passes, which write wherever a number points.
    _check_bounds("pin", pins, num_pins)
    _check_bounds("board", boards, num_boards)
    pins, boards = np.ascontiguousarray(pins, dtype=np.int32), np.ascontiguousarray(boards, dtype=np.int32)
    # Checked rather than believed: it costs one pass, and saves from elsewhere come in any order.
    if not are_ascending(boards, pins):
        boards, pins = _sort_saves(boards, pins, num_boards, num_pins)
    # Grouping keeps the order given, so the boards of a pin ascend without a sort.
    pin_offsets, pin_boards = group_by_key(pins, boards, num_pins)
    return BipartiteGraph(pin_offsets, pin_boards, run_offsets(boards, num_boards), pins)


def check_same_rows(graph: BipartiteGraph, catalog: Catalog) -> None:
    """Make sure that the row numbers of a graph can be those of a catalog, before compiled code reads one by the other.

    Raises:
        DatasetError: they have not as many pins or boards.
    """
    ours, theirs = (graph.num_pins, graph.num_boards), (catalog.num_pins, catalog.num_boards)
    if ours != theirs:
        raise DatasetError(
            f"The graph has {ours[0]:,} pins and {ours[1]:,} boards, {catalog.folder} {theirs[0]:,} and {theirs[1]:,}. "
            "Make the saves and the catalog in the same run."
        )


def check_counts(num_saves: int, num_rows: dict[str, int]) -> None:
    """Make sure that the graph can count its saves and rows.

    Raises:
        DatasetError: there are too many of them.
    """
    if num_saves > MOST_SAVES:
        raise DatasetError(
            f"There are {num_saves:,} saves, and a graph can count {MOST_SAVES:,}. "
            "Leave out old saves, or split the data set by market or language."
        )
    for what, count in num_rows.items():
        if count > MOST_ROWS:
            raise DatasetError(f"There are {count:,} {what}, and row numbers end at {MOST_ROWS:,}. Split the data set.")


def _sort_saves(
    boards: NDArray[np.int32], pins: NDArray[np.int32], num_boards: int, num_pins: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The saves by board and pin: grouping keeps the order given, so by pin and then by board sorts by both."""
    pin_offsets, boards = group_by_key(pins, boards, num_pins)
    board_offsets, pins = group_by_key(boards, rows_of(pin_offsets), num_boards)
    return rows_of(board_offsets), pins


def _check_bounds(what: str, rows: NDArray[np.integer], count: int) -> None:
    low, high = (int(rows.min()), int(rows.max())) if len(rows) else (0, -1)
    if low < 0 or high >= count:
        wrong = low if low < 0 else high
        raise DatasetError(
            f"A save names {what} {wrong}, but {what}s run from 0 to {count - 1}. "
            "Make the saves and the catalog in the same run."
        )
