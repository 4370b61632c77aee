"""Locks between the processes and threads of a host; the kernel lets one go when its holder dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Hold the lock of a file within the block; wait for it, and make the file and its folder if they are not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A descriptor of one's own each time: threads of one process exclude each other, too.
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o666)  # as the umask says, which may let a group in
    # Not a lock file that is made and removed: a killed holder would leave it behind, and everyone waiting.
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """Hold the lock of a file if nobody else does; yields False where its holder lives or has removed it."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:  # being made or being removed by its owner
        yield False
        return
    try:
        yield _takes_lock(descriptor)
    finally:
        os.close(descriptor)


def _takes_lock(descriptor: int) -> bool:
    try:
        # flock and not lockf: a lock of the latter ends when any descriptor of the file is closed.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
