"""One table of a data set: its Parquet files, read in batches whose memory is bounded whatever the files hold.

Nothing here looks at the metadata of a column: where a footer is damaged, pyarrow ends the interpreter there (an
exception of C++ that nobody catches), while the schema, the size of a row group and the rows themselves are safe.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from pinsage.errors import DatasetError
from pinsage.ingest.source.columns import CANONICAL, Caps, canonical
from pinsage.ingest.source.contract import Column, Kind, TableSpec

READ_BUFFER_BYTES = 1 << 20
BATCH_ROWS = 1 << 17
BATCH_BYTES = 64_000_000
WIDE_BYTES = 256
TEXTS = (Kind.TEXT, Kind.ANNOTATIONS)


@dataclass(frozen=True)
class SourceFile:
    """One Parquet file of a table: `name` is its path below the data set's folder, for people."""

    name: str
    path: str
    size_bytes: int
    modified_ns: int
    filesystem: pafs.FileSystem = field(repr=False, compare=False)

    @contextmanager
    def parquet(self, texts: list[str] | None = None) -> Iterator[pq.ParquetFile]:
        """Open the file; what is wrong with its bytes is told as a DatasetError.

        Args:
            texts: leaf columns to read as dictionaries.
        """
        with clear_errors(self.name), self.filesystem.open_input_file(self.path) as raw:
            yield pq.ParquetFile(
                raw,
                read_dictionary=texts,
                # Not ahead: a row group of pictures would be in memory as a whole.
                pre_buffer=False,
                buffer_size=READ_BUFFER_BYTES,
                page_checksum_verification=True,  # where its writer left any
            )


@dataclass(frozen=True)
class Layout:
    """The layout of a file by its footer: rows and bytes (before compression) of each row group, and its columns.

    `texts` has for each column of strings the leaf that holds them.
    """

    rows: tuple[int, ...]
    sizes: tuple[int, ...]
    texts: dict[str, str]
    names: frozenset[str]

    @classmethod
    def of(cls, parquet: pq.ParquetFile) -> "Layout":
        """Return the layout of an open file.

        Raises:
            pyarrow.ArrowInvalid: the footer contradicts itself.
        """
        metadata = parquet.metadata
        groups = [metadata.row_group(group) for group in range(metadata.num_row_groups)]
        rows = tuple(group.num_rows for group in groups)
        # Checked here, in Python: with a damaged footer the reader itself may end the process.
        if sum(rows) != metadata.num_rows or min(rows, default=0) < 0:
            raise pa.ArrowInvalid(f"its row groups have {sum(rows)} rows, its footer says {metadata.num_rows}")
        leaves = [parquet.schema.column(place) for place in range(len(parquet.schema))]
        texts = {leaf.path.split(".")[0]: leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"}
        return cls(rows, tuple(group.total_byte_size for group in groups), texts, frozenset(parquet.schema_arrow.names))

    def dictionary_leaves(self, columns: list[Column]) -> list[str]:
        """Return the leaves to read as dictionaries: a long text of many rows is then held once.

        For ids, which are short and many, dictionaries cost three times the time of reading; so they are read as such
        only where rows are so wide that an id may be huge.
        """
        is_wide = any(size > WIDE_BYTES * rows for rows, size in zip(self.rows, self.sizes, strict=True))
        kinds = (*TEXTS, Kind.ID) if is_wide else TEXTS
        return [self.texts[column.name] for column in columns if column.kind in kinds and column.name in self.texts]

    def batch_rows(self, group: int, most: int) -> int:
        """Return how many rows of a row group, at most `most`, are about 64 MB."""
        return int(min(most, max(1, BATCH_BYTES * self.rows[group] // max(1, self.sizes[group]))))


@dataclass(frozen=True)
class SourceTable:
    """One table of a data set, all its files checked against the columns that its contract asks for.

    `layouts` and `files` have the same order; rows are numbered through all files. `present` names the columns that at
    least one file has.
    """

    spec: TableSpec
    files: tuple[SourceFile, ...]
    layouts: tuple[Layout, ...]
    present: frozenset[str]

    @property
    def num_rows(self) -> int:
        """The number of rows in all files together."""
        return sum(sum(layout.rows) for layout in self.layouts)

    @cached_property
    def first_rows(self) -> tuple[int, ...]:
        """The number of the first row of each file."""
        return tuple(accumulate((sum(layout.rows) for layout in self.layouts), initial=0))[:-1]

    def batches(
        self, names: list[str], batch_rows: int = BATCH_ROWS, caps: Caps | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Return the rows in pieces: `row` int64, the number of each through all files, and the columns `names`.

        Columns are in ingest's form (`columns.canonical`); one that a file lacks is null there. A batch has at most
        `batch_rows` rows and about 64 MB before texts are cut.

        Raises:
            DatasetError: a file cannot be decoded.
        """
        chosen = [self.spec.column(name) for name in names]
        for file, layout, first in zip(self.files, self.layouts, self.first_rows, strict=True):
            yield from _batches(file, layout, _Request(chosen, batch_rows, caps or Caps()), first)

    def schema(self, names: list[str]) -> pa.Schema:
        """Return the schema of `batches`."""
        fields = [pa.field(name, CANONICAL[self.spec.column(name).kind]) for name in names]
        return pa.schema([pa.field("row", pa.int64()), *fields])


@dataclass(frozen=True)
class _Request:
    columns: list[Column]
    batch_rows: int
    caps: Caps


def _batches(file: SourceFile, layout: Layout, request: _Request, first: int) -> Iterator[pa.RecordBatch]:
    # Columns that this file lacks are filled with nulls; other files of the table may have them.
    there = [column for column in request.columns if column.name in layout.names]
    with file.parquet(layout.dictionary_leaves(there)) as parquet:
        for group, size in enumerate(layout.rows):
            start, rows, names = first, layout.batch_rows(group, request.batch_rows), [column.name for column in there]
            for raw in parquet.iter_batches(rows, row_groups=[group], columns=names, use_threads=False):
                yield _canonical(raw, request, start)
                start += raw.num_rows
            # A footer that claims more rows than there are would shift the numbers of all rows after it.
            if start != first + size:
                raise pa.ArrowInvalid(f"row group {group} has {start - first} rows, its footer says {size}")
            first = start


def _canonical(raw: pa.RecordBatch, request: _Request, start: int) -> pa.RecordBatch:
    there = set(raw.schema.names)
    arrays = {"row": pa.arange(start, start + raw.num_rows)}
    for column in request.columns:
        found = raw.column(column.name) if column.name in there else pa.nulls(raw.num_rows)
        arrays[column.name] = canonical(found, column.kind, request.caps, column.name)
    return pa.RecordBatch.from_pydict(arrays)


@contextmanager
def clear_errors(name: str) -> Iterator[None]:
    """Tell what is wrong with a file's bytes; a network that fails is no fault of the file and passes through."""
    try:
        yield
    except (TimeoutError, ConnectionError):  # both are OSErrors, too
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError, KeyError, OverflowError, MemoryError) as error:
        if isinstance(error, PermissionError):
            raise DatasetError(
                f"{name} may not be read by the user of this process (uid {os.geteuid()}). "
                "Let that user read the data set's files, e.g. with chmod -R a+rX, and run again."
            ) from None
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        if isinstance(error, MemoryError):  # a damaged file may ask for any amount
            raise DatasetError(
                f"{name} asks for more memory than there is ({reason!a}). Give the process more, or export it again."
            ) from None
        raise DatasetError(f"{name} cannot be read as Parquet ({reason!a}). Export it again.") from None
