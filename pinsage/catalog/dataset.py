"""A data set as its owner stores it: tables of Parquet files below one folder or fsspec URL."""

import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pinsage.catalog import columns
from pinsage.catalog.columns import CANONICAL
from pinsage.catalog.footer import Footer, read_footer
from pinsage.catalog.schema import TABLES, Column, Kind, TableSpec
from pinsage.errors import DatasetError

READ_BUFFER_BYTES = 1 << 20
BATCH_ROWS = 1 << 18


@dataclass(frozen=True)
class SourceFile:
    """One Parquet file of a table: `name` is its path below the data set's folder, for people."""

    name: str
    path: str
    size_bytes: int
    modified_ns: int
    filesystem: pafs.FileSystem = field(repr=False, compare=False)

    def footer(self) -> Footer:
        """What its footer says of its row groups.

        Raises:
            DatasetError: it is damaged.
        """
        with _clear_errors(self.name), self.filesystem.open_input_file(self.path) as raw:
            return read_footer(raw)

    @contextmanager
    def parquet(self, read_dictionary: list[str] | None = None) -> Iterator[pq.ParquetFile]:
        """The open file; what is wrong with its bytes is told as a DatasetError."""
        with _clear_errors(self.name), self.filesystem.open_input_file(self.path) as raw:
            yield pq.ParquetFile(
                raw,
                read_dictionary=read_dictionary,
                pre_buffer=False,
                buffer_size=READ_BUFFER_BYTES,
                page_checksum_verification=True,
            )


@dataclass(frozen=True)
class SourceTable:
    """One table of a data set, all its files checked against the columns its contract asks for.

    `footers` and `files` have the same order; rows are numbered through all files. `present` names the columns that at
    least one file has.
    """

    spec: TableSpec
    files: tuple[SourceFile, ...]
    footers: tuple[Footer, ...]
    present: frozenset[str]

    @cached_property
    def rows_per_file(self) -> tuple[int, ...]:
        """The rows of each file."""
        return tuple(sum(footer.rows) for footer in self.footers)

    @property
    def num_rows(self) -> int:
        """Rows in all files together."""
        return sum(self.rows_per_file)

    def batches(
        self, names: list[str], batch_rows: int = BATCH_ROWS, *, wanted: NDArray[np.bool_] | None = None
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        """The columns `names` in pieces of at most `batch_rows` rows, each with the number of its first row.

        Columns are in the catalog's form (`columns.canonical`); one that a file lacks is null there, and a file that
        has none of them is passed over. Memory is bounded by a batch, not by a row group.

        Args:
            names: columns of the table's contract.
            batch_rows: rows at once.
            wanted: bool [num_rows]; row groups without a wanted row are not read.

        Raises:
            DatasetError: a file cannot be decoded.
        """
        chosen = [self.spec.column(name) for name in names]
        starts = accumulate(self.rows_per_file, initial=0)
        for file, footer, first in zip(self.files, self.footers, starts, strict=False):
            yield from _batches((file, footer), chosen, first, batch_rows, wanted)

    def column(self, name: str) -> pa.ChunkedArray:
        """One column as a whole, in the catalog's form and without a dictionary; no chunks where no file has it.

        Raises:
            DatasetError: a file cannot be decoded.
        """
        dtype = CANONICAL[self.spec.column(name).kind]
        parts = [columns.decoded(batch.column(0)).cast(dtype) for _, batch in self.batches([name])]
        return pa.chunked_array(parts, dtype)

    def places(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For each row the file that holds it (int64, into `files`) and its number in that file (int64)."""
        ends = np.array(self._ends, np.int64)
        files = np.searchsorted(ends, rows, side="right")
        return files, rows - (ends - np.array(self.rows_per_file, np.int64))[files]

    @cached_property
    def _ends(self) -> list[int]:
        return list(accumulate(self.rows_per_file))


class Dataset:
    """A folder or fsspec URL with `pins`, `boards`, `saves` and perhaps `engagements`."""

    def __init__(self, url: str, filesystem: pafs.FileSystem, root: str) -> None:
        self.url = url
        self.filesystem = filesystem
        self.root = root.rstrip("/") or "/"

    @classmethod
    def open(cls, url: str) -> "Dataset":
        """The data set at `url`.

        Raises:
            DatasetError: no data set is named, its folder is missing, or its file system cannot be used.
        """
        if not url.strip():
            raise DatasetError("data.dataset is empty. Set it to the folder or URL that holds pins, boards and saves.")
        filesystem, root = _resolve(url)
        if filesystem.get_file_info(root).type is not pafs.FileType.Directory:
            raise DatasetError(f"The data set {url} is no folder that exists. Check data.dataset.")
        return cls(url, filesystem, root)

    def tables(self) -> list[SourceTable]:
        """All tables that are there, in the order pins, boards, saves, engagements.

        Raises:
            DatasetError: a required table is missing, or a table is empty, unreadable or lacks a column.
        """
        found = [(spec, self.files(spec)) for spec in TABLES]
        return [_checked(spec, files) for spec, files in found if files]

    def files(self, spec: TableSpec) -> list[SourceFile]:
        """The Parquet files of a table by name, none if an optional table is not there.

        Raises:
            DatasetError: a required table is missing, or a table is there twice.
        """
        single, folder = self._listed(f"{spec.name}.parquet"), self._listed(spec.name)
        if single and folder:
            raise DatasetError(f"{self.url} holds both {spec.name}.parquet and {spec.name}/. Remove one of the two.")
        if spec.is_required and not (single or folder):
            raise DatasetError(
                f"{self.url} has no table '{spec.name}'. Add {spec.name}.parquet or {spec.name}/*.parquet."
            )
        return single or folder

    def path(self, name: str) -> str:
        """The full path of something named relative to the data set's folder."""
        return posixpath.join(self.root, name)

    def _listed(self, name: str) -> list[SourceFile]:
        info = self.filesystem.get_file_info(self.path(name))
        if info.type is pafs.FileType.File:
            return [self._file(info)] if name.endswith(".parquet") else []
        if info.type is not pafs.FileType.Directory:
            return []
        listing = self.filesystem.get_file_info(pafs.FileSelector(info.path))
        files = [entry for entry in listing if entry.type is pafs.FileType.File and _is_data(entry.base_name)]
        return [self._file(entry) for entry in sorted(files, key=lambda entry: entry.path)]

    def _file(self, info: pafs.FileInfo) -> SourceFile:
        name = posixpath.relpath(info.path, self.root)
        return SourceFile(name, info.path, info.size or 0, info.mtime_ns or 0, self.filesystem)


def _is_data(name: str) -> bool:
    return name.endswith(".parquet") and not name.startswith(("_", "."))


def _checked(spec: TableSpec, files: list[SourceFile]) -> SourceTable:
    footers, present = [], set()
    for file in files:
        footers.append(file.footer())
        with file.parquet() as parquet:
            present |= _checked_columns(file.name, parquet.schema_arrow, spec)
    table = SourceTable(spec, tuple(files), tuple(footers), frozenset(present))
    if not table.num_rows:
        remedy = "Export it again." if spec.is_required else "Remove it if there are none, or export it again."
        raise DatasetError(f"The table '{spec.name}' has no rows ({len(files)} files). {remedy}")
    return table


def _checked_columns(where: str, schema: pa.Schema, spec: TableSpec) -> set[str]:
    present = set()
    for column in spec.columns:
        places = schema.get_all_field_indices(column.name)
        if len(places) > 1:
            raise DatasetError(f"{where} has {len(places)} columns called '{column.name}'. Keep one.")
        if places:
            columns.check_type(where, schema.field(places[0]), column.kind)
            present.add(column.name)
        elif column.is_required:
            found = ", ".join(f"'{name}'" for name in schema.names[:8])
            raise DatasetError(f"{where} has no column '{column.name}' (it has {found}). Rename or add the column.")
    return present


def _batches(
    source: tuple[SourceFile, Footer], wanted: list[Column], first: int, batch_rows: int, rows: NDArray[np.bool_] | None
) -> Iterator[tuple[int, pa.RecordBatch]]:
    file, footer = source
    with file.parquet(_repetitive_ids(footer, wanted)) as parquet:
        names = [column.name for column in wanted if column.name in parquet.schema_arrow.names]
        for group, size in enumerate(footer.rows if names else ()):
            start, end = first, first + size
            if rows is None or rows[first:end].any():
                for raw in parquet.iter_batches(batch_rows, row_groups=[group], columns=names, use_threads=False):
                    if start + raw.num_rows <= end:
                        yield start, _canonical(raw, wanted)
                    start += raw.num_rows
                if start != end:
                    raise pa.ArrowInvalid(f"row group {group} has {start - first} rows, its footer says {size}")
            first = end


def _repetitive_ids(footer: Footer, wanted: list[Column]) -> list[str]:
    """The id columns that are surely dictionary-encoded: a plain string takes four bytes for its length alone.

    Of these only the dictionaries are looked up; of others the reader would have to build the dictionary first.
    """
    ids = [column.name for column in wanted if column.kind is Kind.ID]
    return [name for name in ids if footer.sizes.get(name, 0) < 4 * sum(footer.rows)]


def _canonical(raw: pa.RecordBatch, wanted: list[Column]) -> pa.RecordBatch:
    there = set(raw.schema.names)
    found = [raw.column(column.name) if column.name in there else pa.nulls(raw.num_rows) for column in wanted]
    arrays = [columns.canonical(array, column.kind) for array, column in zip(found, wanted, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, names=[column.name for column in wanted])


@contextmanager
def _clear_errors(name: str) -> Iterator[None]:
    """Tell what is wrong with a file's bytes; a network that fails is no fault of the file and passes through."""
    try:
        yield
    except (TimeoutError, ConnectionError):
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno is not None and not isinstance(error, PermissionError):
            raise
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise DatasetError(f"{name} cannot be read as Parquet ({reason!a}). Export it again.") from None


def _resolve(url: str) -> tuple[pafs.FileSystem, str]:
    from fsspec.core import url_to_fs

    try:
        filesystem, root = url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise DatasetError(f"The data set {url} cannot be opened ({error}). Check the URL in data.dataset.") from None
    protocols = filesystem.protocol if isinstance(filesystem.protocol, tuple) else (filesystem.protocol,)
    if "file" in protocols:
        return pafs.LocalFileSystem(), str(Path(root).resolve())
    return pafs.PyFileSystem(pafs.FSSpecHandler(filesystem)), root
