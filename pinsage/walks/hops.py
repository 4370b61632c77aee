"""The graph as walks need it: every save names the row that a walk goes to next, in one 8-byte word.

A step of a walk over plain compressed rows reads three places that are far apart: the row's offset, the row's entry,
and the offset of where that leads. Here an entry is `offset << 32 | degree` of the row it leads to, so a step is one
read. A row's offset also stands for its pin in visit counters; `board_pins` has the pin of a save.

Letters: P pins, B boards, S saves.
"""

import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pinsage.errors import DatasetError
from pinsage.graph.build import MOST_SAVES
from pinsage.graph.csr import BipartiteGraph

_HUGE_PAGE = 1 << 21
_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)

Number = TypeVar("Number", np.int32, np.int64, np.uint64, np.float32)


@dataclass(frozen=True)
class EdgeShares:
    """The chance of each save to be taken by a walk, for graphs with weights.

    Attributes:
        pin_shares: float32 [S], by pin: the weight of a save over those of its pin; each pin's sum to 1.
        board_shares: float32 [S], by board: the weight of a save over those of its board.
        back_shares: float32 [S], by pin: the weight of a save over those of its board.
        pin_aliases: uint64 [S], by pin: Walker's alias table of each row, `threshold << 32 | other place in the row`.
        board_aliases: uint64 [S], by board.
    """

    pin_shares: NDArray[np.float32]
    board_shares: NDArray[np.float32]
    back_shares: NDArray[np.float32]
    pin_aliases: NDArray[np.uint64]
    board_aliases: NDArray[np.uint64]


@dataclass(frozen=True)
class HopTables:
    """A graph prepared for walking: 20 bytes a save in memory, more where saves have weights.

    Attributes:
        pin_rows: uint64 [P], `offset << 32 | degree` of each pin's row of `pin_hops`.
        pin_hops: uint64 [S], by pin: the row of each save's board in `board_hops`.
        board_hops: uint64 [S], by board: the row of each save's pin in `pin_hops`.
        board_pins: int32 [S], by board: the pin of each save.
        shares: None where every save counts the same.
    """

    pin_rows: NDArray[np.uint64]
    pin_hops: NDArray[np.uint64]
    board_hops: NDArray[np.uint64]
    board_pins: NDArray[np.int32]
    shares: EdgeShares | None = None

    @property
    def num_pins(self) -> int:
        """P, pins with and without saves."""
        return len(self.pin_rows)

    @classmethod
    def open(cls, folder: Path) -> "HopTables":
        """The tables of the graph in a folder of the stage `connect`.

        Raises:
            DatasetError: there are more saves than an offset can count.
            ArtifactDamagedError: the graph's files are missing, cut short, or do not fit each other.
        """
        return cls.of(BipartiteGraph.open(folder), folder)

    @classmethod
    def of(cls, graph: BipartiteGraph, folder: Path = Path("connect")) -> "HopTables":
        """The tables of a graph; compiled walks check no bounds, so its columns are checked here, once.

        Args:
            graph: any graph.
            folder: where it came from, for errors.

        Raises:
            DatasetError: there are more saves than an offset can count.
            ArtifactDamagedError: a save names a pin or board past the graph's last one, or a weight is not positive.
        """
        if graph.num_saves > MOST_SAVES:
            raise DatasetError(
                f"The graph has {graph.num_saves:,} saves; walks can count {MOST_SAVES:,}. "
                "Leave out old saves, or split the data set by market or language."
            )
        # Before anything is looked up: compiled code would follow a wrong number out of the array.
        graph.check_columns(folder)
        pin_rows, board_rows = _rows(graph.pin_offsets), _rows(graph.board_offsets)
        pin_hops, board_hops = huge_page_array(graph.num_saves, np.uint64), huge_page_array(graph.num_saves, np.uint64)
        _look_up(board_rows, _plain(graph.pin_boards), pin_hops)
        _look_up(pin_rows, _plain(graph.board_pins), board_hops)
        board_pins = huge_page_array(graph.num_saves, np.int32)
        board_pins[:] = graph.board_pins  # a map has small pages, and looking up the pins kept is random reading too
        return cls(pin_rows, pin_hops, board_hops, board_pins, _shares(graph))


def huge_page_array(count: int, dtype: type[Number]) -> NDArray[Number]:
    """An array [count] in huge pages where the system has them: random reads then miss the TLB less often."""
    size = count * np.dtype(dtype).itemsize
    room = mmap.mmap(-1, size + 2 * _HUGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):  # Linux
        room.madvise(mmap.MADV_HUGEPAGE)
    whole = np.frombuffer(room, np.uint8)
    # Only a block that begins at a multiple of the page size can be in huge pages from its first byte on.
    begin = -whole.ctypes.data % _HUGE_PAGE
    return whole[begin : begin + size].view(dtype)


def read_only(array: NDArray[Number]) -> NDArray[Number]:
    """The array as compiled code takes it: read-only, so that maps and arrays share one compiled function."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view


def _plain(array: NDArray[Number]) -> NDArray[Number]:
    return read_only(np.ascontiguousarray(array))


def _rows(offsets: NDArray[np.int64]) -> NDArray[np.uint64]:
    rows = huge_page_array(len(offsets) - 1, np.uint64)  # [P] or [B]
    # Assigned to memory in huge pages: returned as it is computed, it would lie in small ones.
    rows[:] = (offsets[:-1].astype(np.uint64) << _HALF) | np.diff(offsets).astype(np.uint64)
    return rows


@njit(nogil=True, cache=True)
def _look_up(rows: NDArray[np.uint64], columns: NDArray[np.int32], out: NDArray[np.uint64]) -> None:
    for edge in range(len(columns)):
        # A random read for each save, done once here instead of in every step of every walk.
        out[edge] = rows[columns[edge]]


def _shares(graph: BipartiteGraph) -> EdgeShares | None:
    pin_weights, board_weights = graph.pin_weights, graph.board_weights
    if pin_weights is None or board_weights is None:
        return None
    pins, boards = read_only(graph.pin_offsets), read_only(graph.board_offsets)
    by_pin, by_board, back = (huge_page_array(graph.num_saves, np.float32) for _ in range(3))
    board_totals = _row_totals(boards, read_only(board_weights))
    _fill_shares(pins, read_only(pin_weights), _row_totals(pins, read_only(pin_weights)), by_pin)
    _fill_shares(boards, read_only(board_weights), board_totals, by_board)
    _fill_back_shares(read_only(graph.pin_boards), read_only(pin_weights), board_totals, back)
    pin_aliases, board_aliases = (huge_page_array(graph.num_saves, np.uint64) for _ in range(2))
    _fill_aliases(pins, by_pin, pin_aliases)
    _fill_aliases(boards, by_board, board_aliases)
    return EdgeShares(by_pin, by_board, back, pin_aliases, board_aliases)


@njit(nogil=True, cache=True)
def _row_totals(offsets: NDArray[np.int64], weights: NDArray[np.float32]) -> NDArray[np.float64]:
    totals = np.zeros(len(offsets) - 1)  # [P] or [B]
    for row in range(len(totals)):
        for edge in range(offsets[row], offsets[row + 1]):
            totals[row] += weights[edge]  # in float64: of a long row float32 would lose the last saves
    return totals


@njit(nogil=True, cache=True)
def _fill_shares(
    offsets: NDArray[np.int64],
    weights: NDArray[np.float32],
    totals: NDArray[np.float64],
    shares: NDArray[np.float32],
) -> None:
    for row in range(len(totals)):
        for edge in range(offsets[row], offsets[row + 1]):
            shares[edge] = weights[edge] / totals[row]


@njit(nogil=True, cache=True)
def _fill_back_shares(
    pin_boards: NDArray[np.int32],
    pin_weights: NDArray[np.float32],
    board_totals: NDArray[np.float64],
    shares: NDArray[np.float32],
) -> None:
    for edge in range(len(pin_boards)):
        shares[edge] = pin_weights[edge] / board_totals[pin_boards[edge]]


@njit(nogil=True, cache=True)
def _fill_aliases(offsets: NDArray[np.int64], shares: NDArray[np.float32], aliases: NDArray[np.uint64]) -> None:
    """Vose's method: every place of a row keeps its own save with a chance, else it stands for one other save."""
    longest = 0
    for row in range(len(offsets) - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    scaled, small, large = np.empty(longest), np.empty(longest, np.int64), np.empty(longest, np.int64)
    for row in range(len(offsets) - 1):
        begin, degree = offsets[row], offsets[row + 1] - offsets[row]
        num_small = num_large = 0
        for place in range(degree):
            # 1 for a save of average weight: what lies above pays for what lies below.
            scaled[place] = shares[begin + place] * degree
            # Its own save always: what rounding leaves over in the end, in either list, stays so.
            aliases[begin + place] = (_LOW << _HALF) | np.uint64(place)
            if scaled[place] < 1.0:
                small[num_small] = place
                num_small += 1
            else:
                large[num_large] = place
                num_large += 1
        while num_small and num_large:
            num_small -= 1
            less, more = small[num_small], large[num_large - 1]
            # A threshold of 32 bits, so that one draw of 64 serves the place and the choice.
            aliases[begin + less] = (np.uint64(scaled[less] * 4294967295.0) << _HALF) | np.uint64(more)
            # What `less` lacks to 1 is taken from `more`, which may become small itself.
            scaled[more] -= 1.0 - scaled[less]
            if scaled[more] < 1.0:
                num_large -= 1
                small[num_small] = more
                num_small += 1
