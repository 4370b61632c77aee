"""Files and folders written whole and synced: they are on the disk when a call returns."""

import os
from pathlib import Path
from uuid import uuid4

PARTIAL = ".partial"  # ends the name of a file that is being written; a killed writer leaves one behind


def replace_file(path: Path, content: bytes | memoryview) -> None:
    """Write a file, or put another content in its place: whoever reads `path` finds the old one or the new one, whole.

    When this returns, the content and the name are on the disk. The folder is made if it is not there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid4().hex[:8]}{PARTIAL}")  # an orphaned attempt writes to its own
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            # Before the rename: a name that leads to unwritten bytes would survive a power cut.
            os.fsync(file.fileno())
        # Within one folder, and so on one file system: only there a rename is one step.
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    # The rename itself is an entry of the folder, which is synced for itself.
    sync(path.parent)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
