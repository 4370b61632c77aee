"""The files of a scratch folder, kept in the store too: an attempt on another host goes on from them."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from pinsage.errors import StoreError
from pinsage.store.atomic import PARTIAL
from pinsage.store.lease import every
from pinsage.store.remote import RemoteBucket

log = logging.getLogger(__name__)
EVERY_S = 20.0


@contextmanager
def mirror(folder: Path, bucket: RemoteBucket, pattern: str) -> Iterator[None]:
    """Bring the files of a bucket into `folder`, then send what is new there every few seconds while the block lasts.

    Sending goes on beside the work, which does not wait for it. What has been removed here is removed there; what an
    attempt on another host has sent meanwhile stays.

    Args:
        folder: made if need be; its files are whole when they appear, and never changed.
        bucket: a bucket for this folder alone.
        pattern: which files, as a glob.

    Raises:
        StoreError: the store cannot be reached at the beginning; later that is a warning.
        DiskFullError: there is no room for the files.
    """
    known = _bring(folder, bucket)
    with every(EVERY_S, lambda: _send(folder, bucket, pattern, known)):
        yield


def _bring(folder: Path, bucket: RemoteBucket) -> set[str]:
    """Download what `folder` lacks; return the names of all that the store has."""
    folder.mkdir(parents=True, exist_ok=True)
    names = bucket.names()
    for name in names:
        if not (folder / name).exists():
            partial = folder / f".{name}.{uuid4().hex[:8]}{PARTIAL}"
            try:
                bucket.download(name, partial)
                partial.rename(folder / name)
            except FileNotFoundError:  # an attempt elsewhere, which is not yet known to be dead, has gone on
                continue
            finally:
                partial.unlink(missing_ok=True)
    return set(names)


def _send(folder: Path, bucket: RemoteBucket, pattern: str, known: set[str]) -> None:
    """Send what the store lacks, the oldest first: the last file of a checkpoint vouches for those before it.

    `known` are the names that were brought or sent before. Others that are there and not here are a later attempt's:
    this one has slept through its own kill.
    """
    there = set(bucket.names())
    for path in sorted(folder.glob(pattern), key=_time_of_change):
        if path.name not in there:
            try:
                bucket.upload(path, path.name)
            except StoreError:
                if path.exists():  # else it was removed while it was being sent
                    raise
        known.add(path.name)
    for name in (there & known) - {path.name for path in folder.glob(pattern)}:
        bucket.remove(name)


def _time_of_change(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
