"""The saves of the catalog, some whole boards at a time.

N saves of a block.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numba import njit
from numpy.typing import NDArray

from pinsage.catalog.catalog import Catalog
from pinsage.errors import ArtifactDamagedError
from pinsage.store.row_groups import row_groups

BLOCK_SAVES = 2**20
UNTIMED = np.iinfo(np.int64).max  # later than every time


@dataclass(frozen=True)
class BoardBlock:
    """All saves of some boards, by board, time (unknown first) and pin.

    `board` and `pin` are int32 [N]. `saved_at` int64 [N] is in microseconds since 1970, UNTIMED where unknown. `weight`
    float32 [N] is 1 where the data set gives none.
    """

    board: NDArray[np.int32]
    pin: NDArray[np.int32]
    saved_at: NDArray[np.int64]
    weight: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.board)

    def slice(self, begin: int, end: int) -> "BoardBlock":
        """Its saves from `begin` up to `end`."""
        chosen = slice(begin, end)
        return BoardBlock(self.board[chosen], self.pin[chosen], self.saved_at[chosen], self.weight[chosen])


def has_weights(catalog: Catalog) -> bool:
    """Return whether the data set came with a weight for its saves."""
    return "weight" in pq.read_schema(_path(catalog)).names


def board_blocks(catalog: Catalog, *, weights: bool = False, at_least: int = BLOCK_SAVES) -> Iterator[BoardBlock]:
    """All saves in blocks of about a million, each board in one block: memory for a block, or for the largest board.

    Args:
        catalog: where the saves are.
        weights: whether the weights are read, if there are any; else all are 1.
        at_least: how many saves a block has, unless it is the last.

    Raises:
        ArtifactDamagedError: the saves are not in the order of the contract, or name what is not in the catalog.
    """
    columns = ["board", "pin", "saved_at", *(["weight"] if weights and has_weights(catalog) else [])]
    waiting: list[BoardBlock] = []
    num_waiting, last_board = 0, -1
    for table in row_groups(_path(catalog), columns):
        if table.num_rows == 0:
            continue
        waiting.append(_block(table))
        num_waiting += table.num_rows
        if num_waiting < at_least or waiting[0].board[0] == waiting[-1].board[-1]:
            continue  # the second: a board that is longer than a block is joined once, when it has ended
        joined = _join(waiting)
        _check(catalog, joined, last_board)
        cut = int(np.searchsorted(joined.board, joined.board[-1]))  # where its last board begins: it may go on
        last_board = int(joined.board[cut - 1])
        yield joined.slice(0, cut)
        waiting, num_waiting = [joined.slice(cut, len(joined))], len(joined) - cut
    if num_waiting:
        rest = _join(waiting)
        _check(catalog, rest, last_board)
        yield rest


def _path(catalog: Catalog) -> Path:
    return catalog.folder / "saves.parquet"


def _block(table: pa.Table) -> BoardBlock:
    times = table.column("saved_at").cast(pa.int64()).fill_null(UNTIMED).to_numpy()
    weights = table.column("weight").fill_null(1.0).to_numpy() if "weight" in table.column_names else None
    if weights is None:
        # One number seen as many: no memory for weights that nobody gave.
        weights = np.broadcast_to(np.float32(1), table.num_rows)
    return BoardBlock(table.column("board").to_numpy(), table.column("pin").to_numpy(), times, weights)


def _join(blocks: list[BoardBlock]) -> BoardBlock:
    names = ("board", "pin", "saved_at", "weight")
    return BoardBlock(*(np.concatenate([getattr(block, name) for block in blocks]) for name in names))


def _check(catalog: Catalog, block: BoardBlock, last_board: int) -> None:
    """Make sure that a block, which begins after `last_board`, keeps the contract: compiled code trusts it."""
    wrong = _first_disorder(block.board, block.saved_at, block.pin)
    if wrong < 0 and block.board[0] <= last_board:
        wrong = 0
    if wrong >= 0:
        raise _damage_error(
            catalog, f"the save of pin {block.pin[wrong]} to board {block.board[wrong]} out of the order of time"
        )
    if block.board[0] < 0 or block.board[-1] >= catalog.num_boards:
        wrong = int(block.board[0] if block.board[0] < 0 else block.board[-1])
        raise _damage_error(catalog, f"board {wrong} where boards run from 0 to {catalog.num_boards - 1}")
    low, high = int(block.pin.min()), int(block.pin.max())
    if low < 0 or high >= catalog.num_pins:
        raise _damage_error(catalog, f"pin {low if low < 0 else high} where pins run from 0 to {catalog.num_pins - 1}")


@njit(nogil=True, cache=True)
def _first_disorder(boards: NDArray[np.int32], times: NDArray[np.int64], pins: NDArray[np.int32]) -> int:
    """The first save that should come before the one above it, or -1."""
    for save in range(1, len(boards)):
        if boards[save] > boards[save - 1]:
            continue
        before, now = times[save - 1], times[save]
        # UNTIMED is the largest number, but its saves come first in the file: they are told apart before times are.
        before, now = -1 if before == UNTIMED else 0, -1 if now == UNTIMED else 0
        if boards[save] < boards[save - 1] or now < before:
            return save
        if now == before and (
            times[save] < times[save - 1] or (times[save] == times[save - 1] and pins[save] <= pins[save - 1])
        ):
            return save
    return -1


def _damage_error(catalog: Catalog, fact: str) -> ArtifactDamagedError:
    return ArtifactDamagedError(f"{_path(catalog)} holds {fact}. Delete {catalog.folder}; the next run makes it again.")
