"""A data set as its owner stores it: tables of Parquet files below one folder or fsspec URL."""

import posixpath
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from pathlib import Path

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from pinsage.catalog import columns
from pinsage.catalog.schema import TABLES, Column, Kind, TableSpec
from pinsage.errors import DatasetError

READ_BUFFER_BYTES = 1 << 20


@dataclass(frozen=True)
class SourceFile:
    """One Parquet file of a table: `name` is its path below the data set's folder, for people."""

    name: str
    path: str
    size_bytes: int
    modified_ns: int
    filesystem: pafs.FileSystem = field(repr=False, compare=False)

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

    `rows_per_file` and `files` have the same order; rows are numbered through all files. `present` names the columns
    that at least one file has.
    """

    spec: TableSpec
    files: tuple[SourceFile, ...]
    rows_per_file: tuple[int, ...]
    present: frozenset[str]

    @property
    def num_rows(self) -> int:
        """Rows in all files together."""
        return sum(self.rows_per_file)

    def read(self, names: list[str]) -> pa.Table:
        """The columns `names` in the catalog's form (`columns.canonical`); a column that a file lacks is null there.

        Raises:
            DatasetError: a file cannot be decoded.
        """
        wanted = [self.spec.column(name) for name in names]
        parts = [part for file in self.files for part in _row_groups(file, wanted)]
        empty = pa.schema([(column.name, columns.CANONICAL[column.kind]) for column in wanted]).empty_table()
        return pa.concat_tables([empty, *parts]) if wanted else empty

    def batches(self, name: str, batch_rows: int) -> Iterator[tuple[int, pa.Array]]:
        """One column in pieces of at most `batch_rows` rows, each with the number of its first row.

        Files without the column are passed over. Memory is bounded by a batch, not by a row group.
        """
        column = self.spec.column(name)
        starts = accumulate(self.rows_per_file, initial=0)
        for file, start in zip(self.files, starts, strict=False):
            with file.parquet() as parquet:
                if name not in parquet.schema_arrow.names:
                    continue
                for batch in parquet.iter_batches(batch_size=batch_rows, columns=[name], use_threads=False):
                    raw = pa.chunked_array([batch.column(name)])
                    yield start, columns.canonical(raw, column.kind).chunk(0)
                    start += batch.num_rows  # noqa: PLW2901 - counts through the file

    def place(self, row: int) -> tuple[str, int]:
        """The file that holds a row, and the row's number in that file."""
        index = bisect_right(self._ends, row)
        return self.files[index].name, row - (self._ends[index] - self.rows_per_file[index])

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
    rows, present = [], set()
    for file in files:
        with file.parquet() as parquet:
            present |= _checked_columns(file.name, parquet.schema_arrow, spec)
            rows.append(parquet.metadata.num_rows)
    if not sum(rows):
        remedy = "Export it again." if spec.is_required else "Remove it if there are none, or export it again."
        raise DatasetError(f"The table '{spec.name}' has no rows ({len(files)} files). {remedy}")
    return SourceTable(spec, tuple(files), tuple(rows), frozenset(present))


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


def _row_groups(file: SourceFile, wanted: list[Column]) -> Iterator[pa.Table]:
    ids = [column.name for column in wanted if column.kind is Kind.ID]
    with file.parquet(read_dictionary=ids) as parquet:
        names = [column.name for column in wanted if column.name in parquet.schema_arrow.names]
        for group in range(parquet.num_row_groups):
            raw = parquet.read_row_group(group, columns=names)
            yield pa.table({column.name: _column(raw, column) for column in wanted})


def _column(raw: pa.Table, column: Column) -> pa.ChunkedArray:
    is_there = column.name in raw.column_names
    found = raw.column(column.name) if is_there else pa.chunked_array([pa.nulls(raw.num_rows)])
    return columns.canonical(found, column.kind)


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
