"""Files and folders written whole and synced: they are on the disk when a call returns."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from pinsage.store.lock import hold_lock, try_lock

PARTIAL = ".partial"  # ends the name of a file that is being written; a killed writer leaves one behind


def replace_file(path: Path, content: bytes | memoryview) -> None:
    """Write a file, or put another content in its place: whoever reads `path` finds the old one or the new one, whole.

    When this returns, the content and the name are on the disk. The folder is made if it is not there.
    """
    with _written(path, content) as partial:
        # Within one folder, and so on one file system: only there a rename is one step.
        partial.replace(path)
    # The rename itself is an entry of the folder, which is synced for itself.
    sync(path.parent)


def create_file(path: Path, content: bytes) -> None:
    """Write a file as `replace_file` does, unless there is one.

    Raises:
        FileExistsError: there is one.
    """
    with _written(path, content) as partial:
        os.link(partial, path)  # fails where the name is taken, which a rename would not
    sync(path.parent)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _written(path: Path, content: bytes | memoryview) -> Iterator[Path]:
    """A file beside `path` with its content on the disk, which is gone after the block under this name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _clear_away(path.parent)
    with _partial_file(path) as partial:
        try:
            with partial.open("wb") as file:
                file.write(content)
                file.flush()
                # Before the rename: a name that leads to unwritten bytes would survive a power cut.
                os.fsync(file.fileno())
            yield partial
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def _partial_file(path: Path) -> Iterator[Path]:
    """A new file for this writer alone, whose lock is held: by it others can tell that its writer lives."""
    while True:
        partial = path.with_name(f".{path.name}.{uuid4().hex[:8]}{PARTIAL}")
        with hold_lock(partial):
            if partial.exists():  # else it was removed as an abandoned one before the lock was held
                yield partial
                return


def _clear_away(folder: Path) -> None:
    """Remove the unfinished files of writers that are dead."""
    for partial in folder.glob(f".*{PARTIAL}"):
        with try_lock(partial) as is_abandoned:
            if is_abandoned:
                partial.unlink(missing_ok=True)
