"""A store in the middle, for workers that share no folder with us.

    inputs/<sha256>         staged files, by content: what is there is not sent again
    parts/<job>/open        is there as long as the job runs; who finishes a part later throws it away
    parts/<job>/<name>-<first row>
                            the rows of a part, until the parent has collected them

A parent that was killed leaves its parts behind; the next one that uses the same store removes them.
"""

import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from pinsage.cluster.exchange import Exchange, Rows, SharedFolders, StagedFiles
from pinsage.cluster.remote import Remote
from pinsage.cluster.staged_files import FilesInStore, input_name
from pinsage.errors import ClusterError, PinSageError
from pinsage.store import manifest as manifests
from pinsage.store.disk import full_disk_named
from pinsage.store.lock import hold_lock, try_lock
from pinsage.store.manifest import FileEntry, Manifest
from pinsage.store.rows import PartWriter, RowFile, Written, blocks


@contextmanager
def exchange_through(store: str, leases: Path) -> Iterator[Exchange]:
    """The exchange with workers: through the store at an fsspec URL, or through shared folders where it is empty.

    Args:
        store: an fsspec URL, or nothing.
        leases: a local folder in which jobs that use a store are noted while they run.
    """
    if not store:
        yield SharedFolders()
        return
    remote = Remote(store.rstrip("/"))
    _remove_abandoned(remote, leases)
    job = uuid4().hex
    with _lease(leases / job, remote):
        with remote.writing(f"parts/{job}/open"):
            pass
        try:
            yield StoreBetween(remote, job)
        finally:
            remote.remove(f"parts/{job}")


@dataclass(frozen=True)
class StoredRows:
    """Rows that go into the store, a file per part and array."""

    remote: Remote
    job: str

    def __str__(self) -> str:
        return f"{self.remote.url}/parts/{self.job}"

    @contextmanager
    def part(self, names: Sequence[str], first: int, last: int) -> Iterator[PartWriter]:
        """Take the rows; their files are in the store when the block has ended.

        Raises:
            ClusterError: the store cannot be written, or the job has ended.
        """
        with ExitStack() as stack:
            files = {
                name: stack.enter_context(self.remote.writing(f"parts/{self.job}/{name}-{first}")) for name in names
            }
            yield PartWriter(files, first, last)
            if self.remote.size_bytes(f"parts/{self.job}/open") is None:
                raise ClusterError(f"The job {self.job} of rows {first} to {last} has ended. Nothing is to be done.")


class StoreBetween:
    """The exchange with workers that only share a store with us."""

    def __init__(self, remote: Remote, job: str) -> None:
        self._remote, self._job = remote, job

    def stage(self, folder: Path) -> StagedFiles:
        """The files directly below `folder`, put into the store unless they are there."""
        files = tuple(_entries(folder))
        for entry in files:
            if self._remote.size_bytes(input_name(entry)) != entry.size_bytes:
                self._remote.put(folder / entry.path, input_name(entry))
        return FilesInStore(self._remote, files)

    def unstage(self, staged: StagedFiles) -> None:
        """Remove staged files from the store."""
        if isinstance(staged, FilesInStore):
            for entry in staged.files:
                self._remote.remove(input_name(entry))

    def rows(self, folder: Path) -> Rows:
        """This job's place in the store."""
        return StoredRows(self._remote, self._job)

    def collect(self, folder: Path, written: Written) -> None:
        """Bring the rows of a part from the store to their place in the arrays below `folder`.

        Raises:
            PinSageError: they are not those the worker wrote.
        """
        for name, checksum in written.checksums.items():
            stored = f"parts/{self._job}/{name}-{written.first}"
            if self._copy(stored, RowFile.open(folder / f"{name}.npy"), written) != checksum:
                raise PinSageError(
                    f"{self._remote.url}/{stored} does not hold the rows {written.first} to {written.last} that their "
                    "worker wrote. Check the store and run the stage again."
                )
            self._remote.remove(stored)

    def _copy(self, stored: str, target: RowFile, written: Written) -> int:
        """Copy the rows to their place and return their checksum."""
        checksum, size_bytes = 0, (written.last - written.first) * target.row_bytes
        opened = target.open_at(written.first, written.last)
        with full_disk_named(target.path.parent), opened as out, self._remote.reading(stored) as file:
            for block in blocks(file, size_bytes):
                checksum = zlib.crc32(block, checksum)
                out.write(block)
        return checksum


def _entries(folder: Path) -> list[FileEntry]:
    """The files directly below a folder with their checksums: as its manifest says, if it is a published artifact."""
    has_manifest = (folder / manifests.NAME).is_file()
    entries = Manifest.read(folder).files if has_manifest else manifests.file_entries(folder)
    return [entry for entry in entries if "/" not in entry.path]


@contextmanager
def _lease(path: Path, remote: Remote) -> Iterator[None]:
    with hold_lock(path):
        path.write_text(remote.url, encoding="utf-8")
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _remove_abandoned(remote: Remote, leases: Path) -> None:
    for path in leases.glob("*"):
        with try_lock(path) as is_abandoned:
            if is_abandoned and path.read_text(encoding="utf-8") == remote.url:
                remote.remove(f"parts/{path.name}")
                path.unlink(missing_ok=True)
