"""Positive pairs (query, positive): what training pulls together, and what evaluation asks for.

N pairs. Source: PinSage §4.2.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pinsage.store.parquet_files import write_parquet


@dataclass(frozen=True)
class Pairs:
    """Positive pairs: for pin `query`, the pin `positive` is what should be found; int32 [N] each."""

    query: NDArray[np.int32]
    positive: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.query)

    @classmethod
    def read(cls, path: Path) -> "Pairs":
        """The pairs of a Parquet file that `write` made."""
        with pq.ParquetFile(path, page_checksum_verification=True) as parquet:
            table = parquet.read(columns=["query", "positive"])
        return cls(table.column("query").to_numpy(), table.column("positive").to_numpy())

    @classmethod
    def concat(cls, parts: list["Pairs"]) -> "Pairs":
        """The pairs of all parts, in order; none where there are no parts."""
        none = np.zeros(0, np.int32)
        return cls(
            np.concatenate([none, *(part.query for part in parts)]),
            np.concatenate([none, *(part.positive for part in parts)]),
        )

    def write(self, path: Path) -> None:
        """Write the pairs as Parquet: `query` int32, `positive` int32."""
        write_parquet(path, pa.table({"query": self.query, "positive": self.positive}))

    def where(self, chosen: NDArray[np.bool_]) -> "Pairs":
        """The pairs that a bool mask [N] chooses."""
        return Pairs(self.query[chosen], self.positive[chosen])

    def pair_keys(self) -> NDArray[np.int64]:
        """One number per pair, int64 [N]: the same for (a, b) and (b, a)."""
        low, high = np.minimum(self.query, self.positive), np.maximum(self.query, self.positive)
        return (low.astype(np.int64) << 32) | high


@dataclass(frozen=True)
class HeldOutPairs(Pairs):
    """Pairs that training does not get, and the `board` of each, int32 [N]: -1 where an engagement made it."""

    board: NDArray[np.int32]

    @classmethod
    def read(cls, path: Path) -> "HeldOutPairs":
        """The pairs of a Parquet file that `write` made."""
        with pq.ParquetFile(path, page_checksum_verification=True) as parquet:
            table = parquet.read(columns=["query", "positive", "board"])
        return cls(*(table.column(name).to_numpy() for name in ("query", "positive", "board")))

    def write(self, path: Path) -> None:
        """Write the pairs as Parquet: `query` int32, `positive` int32, `board` int32."""
        write_parquet(path, pa.table({"query": self.query, "positive": self.positive, "board": self.board}))
