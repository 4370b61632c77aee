"""The exchange with workers that share only the store of the deployment with us.

They open artifacts by stage and key, as a stage of the pipeline does. What a job makes on the way is in the store too:

    scratch/<job>/open                      is there as long as the job runs: the time at which it was last renewed
    scratch/<job>/files/<name>/...          arrays between two passes
    scratch/<job>/rows/<name>-<first row>   the rows of a part, until the parent has collected them

A parent that was killed leaves these behind; the next job removes what has not been renewed for an hour.
"""

import logging
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from uuid import uuid4

from pinsage.cluster.exchange import Exchange, Rows, SharedFolders, StagedFiles
from pinsage.errors import ArtifactDamagedError, ClusterError, StoreDamagedError, StoreError
from pinsage.settings.schema import ClusterSettings
from pinsage.store import manifest as manifests
from pinsage.store.deployment import Store
from pinsage.store.disk import full_disk_named
from pinsage.store.lease import every
from pinsage.store.manifest import FileEntry, Manifest
from pinsage.store.remote import RemoteBucket
from pinsage.store.rows import PartWriter, RowFile, Written, blocks

log = logging.getLogger(__name__)
_RENEW_S = 60.0
_ABANDONED_S = 3600.0  # the clocks of two hosts do not differ by that much


@contextmanager
def open_exchange(store: Store, settings: ClusterSettings) -> Iterator[Exchange]:
    """The exchange with the workers of a cluster.

    Through the store where the cluster is elsewhere and the store behind a URL. Else through folders: those of this
    machine are its own workers' too, and a store in a folder has to be seen by all.

    Raises:
        StoreError: the store cannot be reached or refuses.
    """
    if not (store.is_remote and settings.address):
        yield SharedFolders()
        return
    _remove_abandoned(RemoteBucket(f"{store.place}/scratch"))
    scratch = RemoteBucket(f"{store.place}/scratch/{uuid4().hex}")
    _renew(scratch)
    try:
        with every(_RENEW_S, lambda: _renew(scratch)):
            yield StoreExchange(store.place, scratch)
    finally:
        scratch.remove("")


@dataclass(frozen=True)
class FilesOfArtifact:
    """The files of a published artifact, or of a folder `below` it."""

    place: str
    stage: str
    key: str
    below: str

    def __str__(self) -> str:
        return f"{self.stage} {self.key}"

    def folder(self) -> Path:
        """The folder of the files on this host.

        Raises:
            ArtifactMissingError, ArtifactDamagedError, StoreError, DiskFullError: as `ArtifactStore.folder`.
        """
        return _store_of_worker(self.place).artifacts.folder(self.stage, self.key) / self.below


@dataclass(frozen=True)
class FilesInScratch:
    """Files that a job has put into the store; the first process of a host that asks for them fetches them for all."""

    place: str
    scratch: RemoteBucket
    name: str
    files: tuple[FileEntry, ...]

    def __str__(self) -> str:
        return f"{len(self.files)} files in {self.scratch}"

    def folder(self) -> Path:
        """The folder of the files on this host.

        Raises:
            StoreDamagedError: the store holds other bytes than were put there.
            StoreError: it cannot be reached or refuses.
            DiskFullError: there is no room for the files.
        """
        copy = f"scratch-{self.scratch.url.rpartition('/')[2]}-{self.name}"
        size_bytes = sum(entry.size_bytes for entry in self.files)
        return _store_of_worker(self.place).cache.folder(copy, size_bytes, self._fetch)

    def _fetch(self, copy: Path) -> None:
        wanted = Manifest("scratch", self.name, 0, {}, {}, {}, "", list(self.files))
        try:
            for entry in self.files:
                self.scratch.download(f"files/{self.name}/{entry.path}", copy / entry.path)
            manifests.verify(copy, wanted)
        except (FileNotFoundError, ArtifactDamagedError):
            raise StoreDamagedError(
                f"{self.scratch}/files/{self.name} does not hold what was put there. Run the stage again."
            ) from None


@dataclass(frozen=True)
class RowsInStore:
    """Rows that go into the store, a file per part and array."""

    place: str
    scratch: RemoteBucket

    def __str__(self) -> str:
        return str(self.scratch)

    @contextmanager
    def part(self, names: Sequence[str], first: int, last: int) -> Iterator[PartWriter]:
        """Take the rows; their files are in the store when the block has ended.

        Raises:
            StoreError: the store cannot be reached or refuses.
            ClusterError: the job has ended.
            DiskFullError: there is no room for them on this host.
        """
        home = _store_of_worker(self.place).home
        home.mkdir(parents=True, exist_ok=True)
        with full_disk_named(home), TemporaryDirectory(dir=home, prefix="rows-") as folder:
            with ExitStack() as stack:
                files = {name: stack.enter_context((Path(folder) / name).open("wb")) for name in names}
                yield PartWriter(files, first, last)
            for name in names:
                self.scratch.upload(Path(folder) / name, f"rows/{name}-{first}")
            if self.scratch.size_bytes("open") is None:
                self.scratch.remove("")
                raise ClusterError(f"The job of rows {first} to {last} has ended. Nothing is to be done.")


class StoreExchange:
    """The exchange with workers that only share the store with us."""

    def __init__(self, place: str, scratch: RemoteBucket) -> None:
        self._place, self._scratch = place, scratch

    def stage(self, folder: Path) -> StagedFiles:
        """A published artifact, or a folder in it, as it is in the store; another folder's files are put there."""
        for artifact in (folder, folder.parent):
            if (artifact / manifests.NAME).is_file():
                manifest = Manifest.read(artifact)
                return FilesOfArtifact(self._place, manifest.stage, manifest.key, str(folder.relative_to(artifact)))
        files = tuple(manifests.file_entries(folder))
        for entry in files:
            self._scratch.upload(folder / entry.path, f"files/{folder.name}/{entry.path}")
        return FilesInScratch(self._place, self._scratch, folder.name, files)

    def unstage(self, staged: StagedFiles) -> None:
        """Remove files of this job from the store; an artifact stays."""
        if isinstance(staged, FilesInScratch):
            self._scratch.remove(f"files/{staged.name}")

    def rows(self, folder: Path) -> Rows:
        """This job's place in the store."""
        return RowsInStore(self._place, self._scratch)

    def collect(self, folder: Path, written: Written) -> None:
        """Bring the rows of a part from the store to their place in the arrays below `folder`.

        Raises:
            StoreDamagedError: they are not those the worker wrote.
            StoreError: the store cannot be reached or refuses.
            DiskFullError: there is no room for them.
        """
        for name, checksum in written.checksums.items():
            stored = f"rows/{name}-{written.first}"
            with TemporaryDirectory(dir=folder, prefix=".rows-") as between:
                found = self._copy(stored, Path(between) / name, RowFile.open(folder / f"{name}.npy"), written)
            if found != checksum:
                raise StoreDamagedError(
                    f"{self._scratch}/{stored} does not hold the rows {written.first} to {written.last} that their "
                    "worker wrote. Run the stage again."
                )
            self._scratch.remove(stored)

    def _copy(self, stored: str, fetched: Path, target: RowFile, written: Written) -> int | None:
        """Copy the rows to their place and return their checksum; None where there are none."""
        checksum, size_bytes = 0, (written.last - written.first) * target.row_bytes
        with full_disk_named(target.path.parent):
            try:
                self._scratch.download(stored, fetched)
            except FileNotFoundError:
                return None
            with target.open_at(written.first, written.last) as out, fetched.open("rb") as file:
                for block in blocks(file, size_bytes):
                    checksum = zlib.crc32(block, checksum)
                    out.write(block)
        return checksum


@lru_cache(maxsize=4)
def _store_of_worker(place: str) -> Store:
    return Store(local_folder(), place)


def local_folder() -> Path:
    """A folder of this host that its worker processes share: beside the worker's own, on the disk chosen for it."""
    from distributed import get_worker

    try:
        return Path(get_worker().local_directory).parent / "pinsage"
    except ValueError:  # not on a worker
        return Path(gettempdir()) / "pinsage"


def _renew(scratch: RemoteBucket) -> None:
    scratch.replace("open", str(time.time()).encode())


def _remove_abandoned(jobs: RemoteBucket) -> None:
    """Remove what jobs have left that were not renewed for long; another host may do the same."""
    try:
        for job in {name.partition("/")[0] for name in jobs.names()}:
            renewed = jobs.read(f"{job}/open")
            if renewed is None or time.time() - float(renewed) > _ABANDONED_S:
                log.info("cluster: removing what an abandoned job left in %s/%s", jobs, job)
                jobs.remove(job)
    except StoreError as error:
        log.warning("What abandoned jobs left in the store is still there: %s", error)
