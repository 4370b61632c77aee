"""Lists of pins of different lengths, one per row: the positives of a query, the pins of a board.

R rows, N pins in all lists together.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PinLists:
    """The pins of row r are `pins[offsets[r]:offsets[r + 1]]`; offsets int64 [R+1], pins int32 [N]."""

    offsets: NDArray[np.int64]
    pins: NDArray[np.int32]

    @classmethod
    def of(cls, rows: NDArray[np.integer], pins: NDArray[np.int32], num_rows: int) -> "PinLists":
        """The lists of pins whose rows [N] ascend."""
        return cls(np.searchsorted(rows, np.arange(num_rows + 1)).astype(np.int64), pins)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """The number of pins in each row, int64 [R]."""
        return np.diff(self.offsets)

    @property
    def rows(self) -> NDArray[np.int64]:
        """The row of each pin, int64 [N]."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def part(self, first: int, last: int) -> "PinLists":
        """The rows from `first` to `last` - 1, as a view."""
        begin, end = self.offsets[first], self.offsets[last]
        return PinLists(self.offsets[first : last + 1] - begin, self.pins[begin:end])

    def take(self, rows: NDArray[np.int64]) -> "PinLists":
        """Some of the rows, in the order that is asked for."""
        lengths = self.lengths[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)  # [rows + 1]
        places = np.repeat(self.offsets[rows] - offsets[:-1], lengths) + np.arange(offsets[-1])
        return PinLists(offsets, self.pins[places])
