"""Files to the workers and rows back from them: here through folders that all see, in `through_store.py` without.

The parent stages folders for the workers, tells them where rows go, and collects part after part. What travels with a
part (`StagedFiles`, `Rows`) is a few words; the bytes go through the file system or the store, never through the
scheduler. Either way the same bytes arrive, each run of rows is checked against the checksum its worker took when it
was made, and a part that is done twice does no harm.
"""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pinsage.errors import PinSageError, SettingsError
from pinsage.store.deployment import STORE
from pinsage.store.disk import full_disk_named
from pinsage.store.rows import PartWriter, RowFile, Written


class StagedFiles(Protocol):
    """Files that a worker may read."""

    def folder(self) -> Path:
        """The folder that holds them on the machine that asks."""


class Rows(Protocol):
    """Arrays that workers fill, each the rows of its part."""

    def part(self, names: Sequence[str], first: int, last: int) -> AbstractContextManager[PartWriter]:
        """Takes the rows from `first` to `last` - 1 of the arrays `names`; they are there when the block has ended."""


class Exchange(Protocol):
    """The parent's side of an exchange of files and rows with workers."""

    def stage(self, folder: Path) -> StagedFiles:
        """Make the files directly below `folder` readable to workers."""

    def unstage(self, files: StagedFiles) -> None:
        """Remove files that no later run can use from where they were staged."""

    def rows(self, folder: Path) -> Rows:
        """The place for rows of the arrays `folder/NAME.npy`, which must be allocated."""

    def collect(self, folder: Path, written: Written) -> None:
        """See to it that the rows of a part are in the arrays below `folder`, as their worker made them.

        Raises:
            PinSageError: they differ.
        """


@dataclass(frozen=True)
class FilesInPlace:
    """The files of a folder that is at the same place for everyone."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def folder(self) -> Path:
        """The folder itself.

        Raises:
            SettingsError: this host does not see it.
        """
        _check_shared(self.path)
        return self.path


@dataclass(frozen=True)
class RowsInPlace:
    """Rows that go straight to their place in the arrays of a folder."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    @contextmanager
    def part(self, names: Sequence[str], first: int, last: int) -> Iterator[PartWriter]:
        """Takes the rows; they are on the disk when the block has ended.

        Raises:
            DiskFullError: there is no room for them.
            SettingsError: this host does not see the folder.
            PinSageError: they are not rows of the arrays.
        """
        _check_shared(self.path)
        with full_disk_named(self.path), ExitStack() as stack:
            layouts = {name: RowFile.open(self.path / f"{name}.npy") for name in names}
            files = {name: stack.enter_context(layout.open_at(first, last)) for name, layout in layouts.items()}
            yield PartWriter(files, first, last)
            for file in files.values():
                file.flush()
                os.fsync(file.fileno())


class SharedFolders:
    """The exchange with workers that see our folders under the same paths: nothing has to be brought anywhere."""

    def stage(self, folder: Path) -> StagedFiles:
        """The folder itself."""
        return FilesInPlace(folder)

    def unstage(self, files: StagedFiles) -> None:
        """Do nothing: the folder is its owner's."""

    def rows(self, folder: Path) -> Rows:
        """The arrays of `folder` themselves."""
        return RowsInPlace(folder)

    def collect(self, folder: Path, written: Written) -> None:
        """Read the rows of a part once and compare checksums.

        Raises:
            PinSageError: they are not those the worker wrote.
        """
        for name, checksum in written.checksums.items():
            path = folder / f"{name}.npy"
            if RowFile.open(path).checksum(written.first, written.last) != checksum:
                raise PinSageError(
                    f"Rows {written.first} to {written.last} of {path} are not those their worker wrote. "
                    f"Check that all workers share one file system, or set {STORE} to a URL, and run the stage again."
                )


def _check_shared(folder: Path) -> None:
    if not folder.is_dir():
        raise SettingsError(
            f"{socket.gethostname()} does not see the folder {folder}. Let all workers of cluster.address share it "
            f"under this name, or set {STORE} to a URL that all of them reach."
        )
