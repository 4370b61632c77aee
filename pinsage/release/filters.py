"""Pins that an answer must not hold: named ones, seen ones, and those that share a board.

Letters: P pins.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

Pins = NDArray[np.int32]
NO_PINS: Pins = np.empty(0, np.int32)


@dataclass(frozen=True)
class Filters:
    """Pins that are left out. Ids that the release does not know have nothing to leave out, and are no error.

    Attributes:
        pins: pin_ids, such as those that somebody has seen.
        boards: board_ids, whose pins are left out.
        same_board: leave out the pins that share a board with the query.
    """

    pins: frozenset[str] = frozenset()
    boards: frozenset[str] = frozenset()
    same_board: bool = False


NO_FILTERS = Filters()


class Boards:
    """The boards of a release and their pins."""

    def __init__(self, board_ids: list[str], offsets: NDArray[np.int64], pins: Pins) -> None:
        self._row = {board_id: row for row, board_id in enumerate(board_ids)}
        self._offsets, self._pins = offsets, pins
        boards = np.repeat(np.arange(len(board_ids)), np.diff(offsets))
        order = np.argsort(pins, kind="stable")
        self._sorted_pins, self._boards_of = pins[order], boards[order]

    @classmethod
    def read(cls, path: Path) -> "Boards":
        """The boards in boards.parquet."""
        with pq.ParquetFile(path, page_checksum_verification=True) as parquet:
            table = parquet.read().combine_chunks()
        lists = table["pins"].combine_chunks()
        pins = lists.values.to_numpy() if len(lists) else NO_PINS
        offsets = lists.offsets.to_numpy().astype(np.int64) if len(lists) else np.zeros(1, np.int64)
        return cls(table["board_id"].to_pylist(), offsets, pins)

    def pins_on(self, board_ids: Iterable[str]) -> Pins:
        """The pins of boards, each once; a board that is not known has none."""
        return self._pins_of([self._row[name] for name in board_ids if name in self._row])

    def pins_beside(self, pin: int) -> Pins:
        """The pins that share a board with a pin, itself among them if it is on any."""
        first, last = np.searchsorted(self._sorted_pins, [pin, pin + 1])
        return self._pins_of(self._boards_of[first:last].tolist())

    def _pins_of(self, rows: list[int]) -> Pins:
        parts = [self._pins[self._offsets[row] : self._offsets[row + 1]] for row in rows]
        return np.unique(np.concatenate(parts)) if parts else NO_PINS
