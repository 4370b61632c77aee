"""A full disk, said in one sentence."""

import errno
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pinsage.errors import DiskFullError

FULL = (errno.ENOSPC, errno.EDQUOT)  # what an OSError says then


@contextmanager
def full_disk_named(folder: Path, consequence: str = "") -> Iterator[None]:
    """Turn "no space left on device" into an error that names the folder, the host and what that came to.

    Raises:
        DiskFullError: in place of an OSError that says that the disk or the quota is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        free_mb = shutil.disk_usage(folder).free / 1e6
        raise DiskFullError(
            f"The disk of {folder} on {socket.gethostname()} is full ({free_mb:.0f} MB free){consequence}. "
            "Free space and run again."
        ) from error
