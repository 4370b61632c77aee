"""Copies of remote folders on this host: fetched once for all of its processes, whole, and no more than fit.

<root>/<name>/files/    the copy, which appears by one rename
<root>/<name>/lock      shared by who uses the copy or fetches it, held alone while it is removed
<root>/<name>/fetching  held while it is fetched
"""

import fcntl
import logging
import os
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from pinsage.store.disk import full_disk_named
from pinsage.store.lock import hold_lock

log = logging.getLogger(__name__)
_KEPT = 32  # copies that a process holds at most; a worker of a cluster lives for weeks

Fetch = Callable[[Path], None]


@dataclass(frozen=True)
class Cache:
    """The copies in one folder, `max_bytes` together unless more are in use at the same time."""

    root: Path
    max_bytes: int

    def folder(self, name: str, size_bytes: int, fetch: Fetch) -> Path:
        """The folder of a copy, which no process removes while this one lives (or until it has used 32 others).

        Args:
            name: one name, one content.
            size_bytes: how much room it takes, as far as known.
            fetch: fills an empty folder; is called if there is no copy yet.

        Raises:
            DiskFullError: there is no room for it.
        """
        files = self.root / name / "files"
        with _HOLDING:
            if files in _HELD and files.is_dir():
                _HELD.move_to_end(files)
                return files
        descriptor = self._hold(name, size_bytes, fetch)
        with _HOLDING:
            replaced = _HELD.pop(files, None)
            _HELD[files] = descriptor
            given_up = [_HELD.popitem(last=False)[1] for _ in range(len(_HELD) - _KEPT)]
        # To close a descriptor gives its lock back: that copy may be removed from here on.
        for old in (*given_up, *([replaced] if replaced is not None else [])):
            os.close(old)
        return files

    def adopt(self, name: str, folder: Path) -> None:
        """Make a folder of this file system, which is moved, the copy called `name`."""
        self.folder(name, 0, lambda copy: _move_content(folder, copy))

    def renew(self, name: str, fetch: Fetch) -> Path:
        """The folder of a copy whose files were fetched anew, because they are damaged. Who has one open keeps it."""
        files, fresh = self.root / name / "files", self.root / name / f"fresh-{uuid4().hex[:8]}"
        fresh.mkdir(parents=True)
        try:
            with full_disk_named(self.root):
                fetch(fresh)
            # File by file: a folder that is away for a moment would make another process fetch, and wait for us.
            for path in fresh.rglob("*"):
                if path.is_file():
                    path.replace(files / path.relative_to(fresh))
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        return files

    def _hold(self, name: str, size_bytes: int, fetch: Fetch) -> int:
        """Hold a shared lock of a copy that is there; the lock's descriptor."""
        entry = self.root / name
        while True:
            entry.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(entry / "lock", os.O_CREAT | os.O_RDWR, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH)
                if _is_in_place(descriptor, entry / "lock"):
                    # Not `lock` alone: who has fetched keeps it shared for as long as it lives, and we would wait.
                    with hold_lock(entry / "fetching"):
                        if not (entry / "files").is_dir():
                            self._fetch(entry, size_bytes, fetch)
                    os.utime(entry)
                    return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)

    def _fetch(self, entry: Path, size_bytes: int, fetch: Fetch) -> None:
        unfinished = entry / "unfinished"
        # Of a process that died while it fetched: `fetching` is ours now.
        shutil.rmtree(unfinished, ignore_errors=True)
        self._make_room(size_bytes, entry)
        unfinished.mkdir()
        try:
            with full_disk_named(self.root):
                fetch(unfinished)
            unfinished.rename(entry / "files")
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def _make_room(self, size_bytes: int, ours: Path) -> None:
        """Remove the copies that have gone unused for longest until this one fits; those in use stay."""
        sizes = {entry: _size_bytes(entry) for entry in self.root.iterdir() if entry != ours and entry.is_dir()}
        room = min(self.max_bytes - sum(sizes.values()), shutil.disk_usage(self.root).free)
        for entry in sorted(sizes, key=_last_use):
            if size_bytes <= room:
                return
            if _remove_idle(entry):
                log.info("cache: %s was removed to make room", entry.name)
                room += sizes[entry]


# Locks that this process holds, by the folder they keep: for its whole life, or until there are too many.
_HELD: OrderedDict[Path, int] = OrderedDict()
_HOLDING = threading.Lock()


def _remove_idle(entry: Path) -> bool:
    """Remove a copy that no process uses; return whether it is gone."""
    try:
        descriptor = os.open(entry / "lock", os.O_RDWR)
    except OSError:  # being made, or removed by another process
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(entry, ignore_errors=True)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _is_in_place(descriptor: int, path: Path) -> bool:
    """Return whether a lock file that is open still has its name: a lock on a removed one keeps nobody out."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _size_bytes(entry: Path) -> int:
    return sum(path.lstat().st_size for path in entry.rglob("*") if path.is_file())


def _last_use(entry: Path) -> float:
    try:
        return entry.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _move_content(source: Path, target: Path) -> None:
    for path in list(source.iterdir()):
        path.rename(target / path.name)
