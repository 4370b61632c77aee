"""The saves of whole boards in the order of time: which are held out, and which make pairs.

N saves of some boards; the saves of a board lie together, and boards ascend.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pinsage.pairs.board_blocks import UNTIMED, BoardBlock
from pinsage.pairs.draws import Hashes
from pinsage.pairs.pairs import HeldOutPairs, Pairs
from pinsage.settings.schema import PairSettings

TRAIN, VALIDATION, TEST = 0, 1, 2
FEW = 32  # as many as are sorted by insertion: most saves that share their time with others share it with few
Splits = NDArray[np.int8]


@dataclass
class AdjacentSaves:
    """Counts of the saves that follow another one of their board, and of those among them at a different time.

    A save without a time is taken to be of the same time as the one before it.
    """

    count: int = 0
    in_time: int = 0

    def add(self, block: BoardBlock) -> None:
        """Count those of some more boards."""
        is_adjacent = block.board[1:] == block.board[:-1]
        is_timed = block.saved_at[:-1] != UNTIMED  # a block has those without a time first: the next one is timed, too
        self.count += int(is_adjacent.sum())
        self.in_time += int((is_adjacent & is_timed & (block.saved_at[1:] != block.saved_at[:-1])).sum())

    @property
    def share_in_time(self) -> float:
        """The share of them whose times differ; 0 where no board has two saves."""
        return self.in_time / self.count if self.count else 0.0


def sort_by_time(block: BoardBlock, draws: Hashes) -> NDArray[np.int32]:
    """The pins of each board by time, int32 [N], those without a time last; `draws` [N] decide between equal times."""
    pins: NDArray[np.int32] = _sort_by_time(block.board, block.pin, block.saved_at, draws)
    return pins


def save_splits(boards: NDArray[np.int32], settings: PairSettings) -> Splits:
    """TRAIN, VALIDATION or TEST for each save, int8 [N]; `boards` [N] ascend, and saves of a board follow in time."""
    begins = np.flatnonzero(np.diff(boards, prepend=-1))  # of boards
    ends = np.append(begins[1:], len(boards))
    sizes = ends - begins
    is_split = sizes >= settings.min_board_saves
    num_test = _held_out(sizes, settings.test_share, is_split)
    num_validation = _held_out(sizes, settings.validation_share, is_split & (sizes > settings.min_board_saves))
    # One save at least stays for training: a held-out save needs a query before it.
    num_validation = np.minimum(num_validation, np.maximum(sizes - num_test - 1, 0))
    splits: Splits = _split(begins, ends - num_test - num_validation, ends - num_test, ends)
    return splits


def adjacent_pairs(boards: NDArray[np.int32], pins: NDArray[np.int32], splits: Splits, max_gap: int) -> Pairs:
    """Pairs (earlier, later) of training saves at most `max_gap` apart on a board.

    They are in the order of the later save, the nearest earlier one first.
    """
    return Pairs(*_adjacent_pairs(boards, pins, splits, max_gap))


def held_out_pairs(boards: NDArray[np.int32], pins: NDArray[np.int32], splits: Splits, split: int) -> HeldOutPairs:
    """Each save of a split as the positive of the save right before it on its board, in the order of the saves."""
    positives = np.flatnonzero(splits == split)  # never a board's first save: that one is for training
    return HeldOutPairs(pins[positives - 1], pins[positives], boards[positives])


def sort_by_board_and_pin(
    boards: NDArray[np.int32], pins: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The saves in ascending order of board and pin, without their order in time."""
    # One key of two: sorting numbers in place needs neither an argsort nor a gather.
    keys = (boards.astype(np.int64) << 32) | pins
    keys.sort()
    return (keys >> 32).astype(np.int32), (keys & 0xFFFFFFFF).astype(np.int32)


def _held_out(sizes: NDArray[np.int64], share: float, where: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The number of held-out saves of each board for a share: at least one, never all."""
    # Half up: to the even number, as np.round does, boards of neighboring sizes would be cut unevenly.
    wanted = np.maximum(np.floor(sizes * share + 0.5), 1 if share else 0).astype(np.int64)
    return np.where(where, np.minimum(wanted, sizes - 1), 0)


@njit(nogil=True, cache=True)
def _split(
    begins: NDArray[np.int64], validation: NDArray[np.int64], test: NDArray[np.int64], ends: NDArray[np.int64]
) -> Any:
    splits = np.zeros(ends[-1] if len(ends) else 0, np.int8)
    for board in range(len(begins)):
        # By time: what is asked about lies after what is learned, as it does in use.
        splits[validation[board] : test[board]] = VALIDATION
        splits[test[board] : ends[board]] = TEST
    return splits


@njit(nogil=True, cache=True)
def _sort_by_time(boards: NDArray[np.int32], pins: NDArray[np.int32], times: NDArray[np.int64], draws: Hashes) -> Any:
    ordered, drawn, begin = np.empty_like(pins), np.empty(FEW, np.uint64), 0
    while begin < len(boards):
        timed = begin
        while timed < len(boards) and boards[timed] == boards[begin] and times[timed] == UNTIMED:
            timed += 1
        end = timed
        while end < len(boards) and boards[end] == boards[begin]:
            end += 1
        at = begin
        while timed + at - begin < end:  # runs of one time each
            first = timed + at - begin
            last = first + 1
            while last < end and times[last] == times[first]:
                last += 1
            if last - first == 1:
                ordered[at] = pins[first]
            else:
                _by_draw(pins[first:last], draws[first:last], ordered[at : at + last - first], drawn)
            at += last - first
        _by_draw(pins[begin:timed], draws[begin:timed], ordered[at:end], drawn)
        begin = end
    return ordered


@njit(nogil=True, cache=True)
def _by_draw(pins: NDArray[np.int32], draws: Hashes, out: NDArray[np.int32], drawn: Hashes) -> None:
    """Write the pins in the order of their draws; `drawn` is room for FEW of these."""
    # A board imported in one go has all saves at one instant; insertion, quick for a few, would be quadratic.
    if len(pins) > FEW:
        out[:] = pins[np.argsort(draws, kind="mergesort")]
        return
    for index in range(len(pins)):
        place = index
        while place > 0 and drawn[place - 1] > draws[index]:
            drawn[place], out[place] = drawn[place - 1], out[place - 1]
            place -= 1
        drawn[place], out[place] = draws[index], pins[index]


@njit(nogil=True, cache=True)
def _adjacent_pairs(
    boards: NDArray[np.int32], pins: NDArray[np.int32], splits: Splits, max_gap: int
) -> tuple[Any, Any]:
    count = 0
    # Counted first, then written: the arrays need not grow.
    for write in (False, True):
        if write:
            queries, positives = np.empty(count, np.int32), np.empty(count, np.int32)
            count = 0
        for later in range(len(pins)):
            if splits[later] != TRAIN:
                continue
            for earlier in range(later - 1, max(later - max_gap, 0) - 1, -1):
                # Boards lie together, so the first save of another one ends the search.
                if boards[earlier] != boards[later]:
                    break
                if write:
                    queries[count], positives[count] = pins[earlier], pins[later]
                count += 1
    return queries, positives
