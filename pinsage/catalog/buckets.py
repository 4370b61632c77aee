"""Rows that come in any order, dealt into files of neighboring rows, so that each can be put in order by itself."""

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.ipc
from numpy.typing import NDArray

MAX_BUCKETS = 256


@dataclass
class BucketFiles:
    """At most 256 open files of rows with one schema; the folder vanishes with the last of them."""

    folder: Path
    schema: pa.Schema
    _writers: dict[int, pa.ipc.RecordBatchStreamWriter] = field(default_factory=dict)
    _open: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def deal(self, buckets: NDArray[np.int64], rows: pa.RecordBatch) -> None:
        """Put each row into its bucket (int64 [N], 0 to 255)."""
        order = np.argsort(buckets, kind="stable")
        ordered, ends = rows.take(pa.array(order)), np.flatnonzero(np.diff(buckets[order])) + 1
        for start, end in zip([0, *ends], [*ends, len(buckets)], strict=True):
            if end > start:
                self._writer(int(buckets[order[start]])).write_batch(ordered.slice(start, end - start))

    def read(self, bucket: int) -> pa.Table:
        """The rows of a bucket in the order in which they were dealt; its file is removed. All must be dealt by now."""
        self._open.close()
        if bucket not in self._writers:
            return self.schema.empty_table()
        file = self._file(bucket)
        with pa.OSFile(str(file)) as raw, pa.ipc.open_stream(raw) as stream:
            rows = stream.read_all()
        file.unlink()
        del self._writers[bucket]
        if not self._writers:
            self.folder.rmdir()
        return rows

    def _file(self, bucket: int) -> Path:
        return self.folder / f"{bucket:03d}.arrows"

    def _writer(self, bucket: int) -> pa.ipc.RecordBatchStreamWriter:
        if bucket not in self._writers:
            self.folder.mkdir(exist_ok=True)
            self._writers[bucket] = self._open.enter_context(pa.ipc.new_stream(str(self._file(bucket)), self.schema))
        return self._writers[bucket]
