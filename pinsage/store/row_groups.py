"""Tables larger than memory, read and written by row group."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pinsage.errors import ArtifactDamagedError
from pinsage.store.machine import is_machine_fault
from pinsage.store.parquet_files import ROW_GROUP_ROWS, parquet_writer


def row_groups(path: Path, columns: list[str]) -> Iterator[pa.Table]:
    """The row groups of a Parquet file in turn, their page checksums verified; one of them is held at a time.

    Raises:
        ArtifactDamagedError: the file is missing, cut short or changed since it was written.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as parquet:
            for group in range(parquet.num_row_groups):
                yield parquet.read_row_group(group, columns=columns, use_threads=False)
    except (OSError, pa.ArrowException) as error:
        if is_machine_fault(error):
            raise
        reason = str(error).splitlines()[0].rstrip(".")
        raise ArtifactDamagedError(
            f"{path} cannot be read ({reason}). Delete {path.parent}; the next run makes it again."
        ) from None


class Int32Writer:
    """A writer of int32 columns; the file depends on the rows, not on how they were cut."""

    def __init__(self, writer: pq.ParquetWriter, names: tuple[str, ...]) -> None:
        self.num_rows = 0
        self._writer, self._schema = writer, pa.schema([(name, pa.int32()) for name in names])
        self._waiting: list[tuple[NDArray[np.int32], ...]] = []
        self._num_waiting = 0

    @classmethod
    @contextmanager
    def open(cls, path: Path, names: tuple[str, ...]) -> Iterator["Int32Writer"]:
        """A writer of the columns `names`, which has written all of its rows when the context ends."""
        with parquet_writer(path, pa.schema([(name, pa.int32()) for name in names])) as writer:
            ours = cls(writer, names)
            yield ours
            ours._flush()

    def write(self, *columns: NDArray[np.int32]) -> None:
        """Append rows, a column each."""
        self._waiting.append(columns)
        self._num_waiting += len(columns[0])
        self.num_rows += len(columns[0])
        if self._num_waiting >= ROW_GROUP_ROWS:
            # Whole row groups alone go out, so that the file does not show how its rows were cut.
            whole = self._num_waiting - self._num_waiting % ROW_GROUP_ROWS
            joined = self._join()
            self._write([column[:whole] for column in joined])
            rest = tuple(column[whole:].copy() for column in joined)  # a copy, lest it keep the whole alive
            self._waiting, self._num_waiting = [rest], len(rest[0])

    def _flush(self) -> None:
        if self._num_waiting or not self.num_rows:
            self._write(self._join())

    def _join(self) -> list[NDArray[np.int32]]:
        none = tuple(np.zeros(0, np.int32) for _ in self._schema.names)
        return [np.concatenate(parts) for parts in zip(none, *self._waiting, strict=True)]

    def _write(self, columns: list[NDArray[np.int32]]) -> None:
        table = pa.table([pa.array(column) for column in columns], schema=self._schema)
        self._writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
