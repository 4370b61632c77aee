"""Files staged in a store: fetched once per host, checked, and mapped by all its workers."""

import hashlib
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from pinsage.cluster.remote import Remote
from pinsage.errors import StoreDamagedError
from pinsage.store.lock import hold_lock
from pinsage.store.manifest import FileEntry

_IDLE_S = 3600.0  # a copy that nobody asked for in this time makes room for the next


@dataclass(frozen=True)
class FilesInStore:
    """Files in the store; the first process of a host that asks for them fetches them for all."""

    remote: Remote
    files: tuple[FileEntry, ...]

    def __str__(self) -> str:
        return f"{len(self.files)} files in {self.remote.url}"

    def folder(self) -> Path:
        """The folder of the files on this host.

        Raises:
            StoreDamagedError: the store holds other bytes than were staged; they are removed from it.
            ClusterError: the store cannot be read.
            DiskFullError: there is no room for the files.
        """
        copies = local_folder() / "pinsage-loans"
        copy = copies / hashlib.sha256(repr(self.files).encode()).hexdigest()[:32]
        with hold_lock(copies / f"{copy.name}.lock"):
            if not copy.is_dir():
                _remove_idle(copies)
                self._fetch_into(copy)
            os.utime(copy)
        return copy

    def _fetch_into(self, copy: Path) -> None:
        unfinished = copy.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        for entry in self.files:
            target = unfinished / entry.path
            target.parent.mkdir(parents=True, exist_ok=True)
            if self.remote.fetch(input_name(entry), target) != entry.sha256:
                self.remote.remove(input_name(entry))
                raise StoreDamagedError(
                    f"{self.remote.url}/{input_name(entry)} is not the {entry.path} that was put there. "
                    "It was removed; run the stage again."
                )
        unfinished.rename(copy)


def local_folder() -> Path:
    """A folder of this host that its worker processes share: beside the worker's own, on the disk chosen for it."""
    from distributed import get_worker

    try:
        return Path(get_worker().local_directory).parent
    except ValueError:  # not on a worker
        return Path(tempfile.gettempdir())


def input_name(entry: FileEntry) -> str:
    """The name of an input file in the store, which is made of its content's digest."""
    return f"inputs/{entry.sha256}"


def _remove_idle(copies: Path) -> None:
    """Remove copies that nobody asked for lately; who has one mapped keeps it until it is closed."""
    for copy in copies.iterdir():
        if copy.is_dir() and time.time() - copy.stat().st_mtime > _IDLE_S:
            shutil.rmtree(copy, ignore_errors=True)
