"""Small files by name below one root, each there whole or not at all: in a folder here, in `remote.py` behind a URL."""

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from pinsage.store.atomic import PARTIAL, create_file, replace_file
from pinsage.store.disk import full_disk_named
from pinsage.store.lock import hold_lock


class Bucket(Protocol):
    """Files below one root. A name is a relative path with '/'.

    Every method raises a StoreError where the root is behind a URL and cannot be reached, or refuses.
    """

    def __str__(self) -> str:
        """The root, as a person would name it."""

    def read(self, name: str) -> bytes | None:
        """The content of a file, None where there is none."""

    def create(self, name: str, content: bytes) -> bool:
        """Write a file unless there is one; return whether `content` is what stands there now."""

    def replace(self, name: str, content: bytes) -> None:
        """Write a file, in place of the one that may be there."""

    def exchange(self, name: str, old: bytes | None, new: bytes) -> bool:
        """Write a file in place of one with the content `old`, None for none; return whether `new` stands there now.

        For holders of a lock that every writer of the file holds.
        """

    def names(self, prefix: str = "") -> list[str]:
        """The names of all files in the folder `prefix` and below it, in order."""

    def changes(self) -> dict[str, datetime]:
        """The time of the last change of every file, by its name, by the clock of the store."""

    def remove(self, name: str) -> None:
        """Remove a file, or a folder with all it holds, if it is there."""

    def hold(self, name: str) -> AbstractContextManager[None]:
        """Hold the lock called `name` within the block, as the only process of all hosts; wait for it."""


@dataclass(frozen=True)
class FolderBucket:
    """Files of a folder. The lock is one of the file system, which a network file system has to pass on."""

    root: Path

    def __str__(self) -> str:
        return str(self.root)

    def read(self, name: str) -> bytes | None:
        """The content of a file, None where there is none."""
        try:
            return (self.root / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def create(self, name: str, content: bytes) -> bool:
        """Write a file unless there is one; return whether `content` is what stands there now."""
        try:
            with full_disk_named(self._existing()):
                create_file(self.root / name, content)
        except FileExistsError:
            return self.read(name) == content
        return True

    def replace(self, name: str, content: bytes) -> None:
        """Write a file, in place of the one that may be there."""
        with full_disk_named(self._existing()):
            replace_file(self.root / name, content)

    def exchange(self, name: str, old: bytes | None, new: bytes) -> bool:
        """Write a file in place of one with the content `old`; return whether `new` stands there now.

        The lock of a folder is not taken over while its holder lives, however long it sleeps.
        """
        if self.read(name) != old:
            return False
        self.replace(name, new)
        return True

    def names(self, prefix: str = "") -> list[str]:
        """The names of all files in the folder `prefix` and below it, in order."""
        paths = [path for path in (self.root / prefix).rglob("*") if path.suffix != PARTIAL and path.is_file()]
        return sorted(str(path.relative_to(self.root)) for path in paths)

    def changes(self) -> dict[str, datetime]:
        """The time of the last change of every file, by its name."""
        found = {}
        for name in self.names():
            with suppress(FileNotFoundError):  # removed since it was listed
                found[name] = datetime.fromtimestamp((self.root / name).stat().st_mtime, UTC)
        return found

    def remove(self, name: str) -> None:
        """Remove a file, or a folder with all it holds, if it is there."""
        path = self.root / name
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Hold the lock called `name` within the block; the kernel lets it go when its holder dies."""
        with hold_lock(self.root / name):
            yield

    def _existing(self) -> Path:
        return next(folder for folder in (self.root, *self.root.parents) if folder.is_dir())
