"""Pictures that come in any order, written in ascending order of their pin with bounded memory.

They are dealt into bucket files of neighboring pins, which are then sorted one by one. A bucket holds 64 MB, or a 256th
of all pictures where that is more (so that at most 256 files are open); that is the memory it takes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pinsage.catalog.buckets import MAX_BUCKETS, BucketFiles
from pinsage.catalog.parquet_files import parquet_writer
from pinsage.catalog.schema import PUBLISHED_PICTURES

BUCKET_BYTES = 64_000_000
ROW_GROUP_PICTURES = 256
ROW_GROUP_BYTES = 256_000_000
DEALT = pa.schema([("pin", pa.int32()), ("picture", pa.large_binary())])


@dataclass
class Dealing:
    """Buckets of pictures: `last_pins` int32 [buckets] ends each, ascending; `row_group` pictures make a row group."""

    files: BucketFiles
    last_pins: NDArray[np.int32]
    row_group: int

    @classmethod
    def of(cls, pins: NDArray[np.int32], sizes: NDArray[np.int64], folder: Path) -> "Dealing":
        """Buckets for pictures of these pins and sizes (bytes), in files below `folder`, which vanishes at the end."""
        order = np.argsort(pins)
        ends = np.cumsum(sizes[order])
        total = int(ends[-1]) if len(ends) else 0
        bucket_bytes = max(BUCKET_BYTES, total // MAX_BUCKETS + 1)
        buckets = np.maximum(ends - 1, 0) // bucket_bytes
        is_last = np.append(buckets[1:] != buckets[:-1], True)[: len(buckets)]
        row_group = min(ROW_GROUP_PICTURES, ROW_GROUP_BYTES // max(1, int(sizes.max(initial=1))))
        return cls(BucketFiles(folder, DEALT), pins[order][is_last], max(1, row_group))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.files.__exit__()

    def deal(self, pins: NDArray[np.int32], pictures: pa.Array) -> None:
        """Put each picture (large_binary) into the bucket of its pin."""
        buckets = np.searchsorted(self.last_pins, pins).astype(np.int64)
        self.files.deal(buckets, pa.record_batch([pa.array(pins), pictures], schema=DEALT))

    def write(self, path: Path, before: Iterable[pa.Table] = ()) -> int:
        """Write everything that was dealt as `pictures.parquet` and return how many pictures it holds.

        `before` are row groups of pictures of lower pins.
        """
        written = 0
        with parquet_writer(path, PUBLISHED_PICTURES) as writer:
            for rows in chain(before, self._row_groups()):
                writer.write_table(rows.combine_chunks().cast(PUBLISHED_PICTURES), row_group_size=max(1, rows.num_rows))
                written += rows.num_rows
        return written

    def _row_groups(self) -> Iterator[pa.Table]:
        for bucket in range(len(self.last_pins)):
            pictures = self.files.read(bucket).sort_by("pin")
            for start in range(0, pictures.num_rows, self.row_group):
                yield pictures.slice(start, self.row_group)
