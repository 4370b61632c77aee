"""A data set as its owner stores it: tables of Parquet files below one folder or fsspec URL."""

import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.fs as pafs

from pinsage.errors import DatasetError, MachineError, PinSageError
from pinsage.ingest.source import columns
from pinsage.ingest.source.contract import TABLES, TableSpec
from pinsage.ingest.source.table import Layout, SourceFile, SourceTable

SHOWN_CHARACTERS = 200


class Dataset:
    """A folder or fsspec URL with `pins`, `boards`, `saves` and perhaps `engagements`."""

    def __init__(self, url: str, filesystem: pafs.FileSystem, root: str) -> None:
        self.url = url
        self.filesystem = filesystem
        self.root = root.rstrip("/") or "/"

    @classmethod
    def open(cls, url: str) -> "Dataset":
        """Return the data set at `url`.

        Raises:
            DatasetError: no data set is named, its folder is missing, or its file system cannot be used.
        """
        if not url.strip():
            raise DatasetError("data.dataset is empty. Set it to the folder or URL that holds pins, boards and saves.")
        with _clear_url_errors(url):
            filesystem, root = _resolve(url)
            is_folder = filesystem.get_file_info(root).type is pafs.FileType.Directory
        if not is_folder:
            raise DatasetError(f"The data set {_show(url)} is no folder that exists. Check data.dataset.")
        return cls(url, filesystem, root)

    def tables(self) -> list[SourceTable]:
        """Return all tables that are there, in the order pins, boards, saves, engagements.

        Raises:
            DatasetError: a required table is missing, or a table is empty, unreadable or lacks a column.
        """
        found = [(spec, self.files(spec)) for spec in TABLES]
        return [_check_table(spec, files) for spec, files in found if files]

    def files(self, spec: TableSpec) -> list[SourceFile]:
        """Return the Parquet files of a table by name, none if an optional table is not there.

        Raises:
            DatasetError: a required table is missing, or a table is there twice.
        """
        with _clear_url_errors(self.url):
            single, folder = self._list_files(f"{spec.name}.parquet"), self._list_files(spec.name)
        shown = _show(self.url)
        # Reading both could count every row twice, and choosing one would be a guess.
        if single and folder:
            raise DatasetError(f"{shown} holds both {spec.name}.parquet and {spec.name}/. Remove one of the two.")
        if spec.is_required and not (single or folder):
            raise DatasetError(f"{shown} has no table '{spec.name}'. Add {spec.name}.parquet or {spec.name}/*.parquet.")
        return single or folder

    def path(self, name: str) -> str:
        """Return the full path of something named relative to the data set's folder."""
        return posixpath.join(self.root, name)

    def _list_files(self, name: str) -> list[SourceFile]:
        info = self.filesystem.get_file_info(self.path(name))
        if info.type is pafs.FileType.File:
            return [self._file(info)] if name.endswith(".parquet") else []
        if info.type is not pafs.FileType.Directory:
            return []
        listing = self.filesystem.get_file_info(pafs.FileSelector(info.path))
        files = [entry for entry in listing if entry.type is pafs.FileType.File and _is_data(entry.base_name)]
        # By path, as file systems list in orders of their own.
        return [self._file(entry) for entry in sorted(files, key=lambda entry: entry.path)]

    def _file(self, info: pafs.FileInfo) -> SourceFile:
        name = posixpath.relpath(info.path, self.root)
        return SourceFile(name, info.path, info.size or 0, info.mtime_ns or 0, self.filesystem)


def _is_data(name: str) -> bool:
    # Writers keep markers and half-written files under names with these beginnings.
    return name.endswith(".parquet") and not name.startswith(("_", "."))


def _check_table(spec: TableSpec, files: list[SourceFile]) -> SourceTable:
    layouts, present = [], set()
    for file in files:
        with file.parquet() as parquet:
            layouts.append(Layout.of(parquet))
            present |= _check_columns(file.name, parquet.schema_arrow, spec)
    table = SourceTable(spec, tuple(files), tuple(layouts), frozenset(present))
    if not table.num_rows:
        remedy = "Export it again." if spec.is_required else "Remove it if there are none, or export it again."
        raise DatasetError(f"The table '{spec.name}' has no rows ({len(files)} files). {remedy}")
    return table


def _check_columns(where: str, schema: pa.Schema, spec: TableSpec) -> set[str]:
    present = set()
    for column in spec.columns:
        places = schema.get_all_field_indices(column.name)
        if len(places) > 1:
            raise DatasetError(f"{where} has {len(places)} columns called '{column.name}'. Keep one.")
        if places:
            columns.check_type(where, schema.field(places[0]), column.kind)
            present.add(column.name)
        else:
            _check_absent(where, schema.names, column.name, column.is_required)
    return present


def _check_absent(where: str, names: list[str], wanted: str, is_required: bool) -> None:
    """Refuse the lack of a required column, and of an optional one that is there in another case."""
    alike = [name for name in names if name.lower() == wanted]
    if alike:
        raise DatasetError(
            f"{where} has no column '{wanted}'. Did you mean {alike[0]!a}? Rename it: upper and lower case differ."
        )
    if is_required:
        found = ", ".join(ascii(name[:SHOWN_CHARACTERS]) for name in names[:8])
        raise DatasetError(f"{where} has no column '{wanted}' (it has {found}). Rename or add the column.")


def _show(url: str) -> str:
    return ascii(url[:SHOWN_CHARACTERS])[1:-1]


@contextmanager
def _clear_url_errors(url: str) -> Iterator[None]:
    """Tell in one sentence why a URL cannot be opened: file systems raise whatever their libraries do."""
    try:
        yield
    except PinSageError:
        raise
    except (TimeoutError, ConnectionError) as error:
        raise MachineError(
            f"The data set {_show(url)} does not answer ({_reason(error)}). "
            "Check the URL in data.dataset and the network, and run again."
        ) from None
    except Exception as error:
        raise DatasetError(
            f"The data set {_show(url)} cannot be opened ({_reason(error)}). "
            "Check the URL in data.dataset, and who may read it."
        ) from None


def _reason(error: Exception) -> str:
    return ascii(str(error).splitlines()[0][:SHOWN_CHARACTERS] if str(error) else type(error).__name__)


def _resolve(url: str) -> tuple[pafs.FileSystem, str]:
    from fsspec.core import url_to_fs

    filesystem, root = url_to_fs(url)
    protocols = filesystem.protocol if isinstance(filesystem.protocol, tuple) else (filesystem.protocol,)
    if "file" in protocols:
        return pafs.LocalFileSystem(), str(Path(root).resolve())
    return pafs.PyFileSystem(pafs.FSSpecHandler(filesystem)), root
