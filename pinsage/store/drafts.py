"""Folders of artifacts being written: each is its attempt's own, and the next attempt removes what a dead one left."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from pinsage.store.disk import full_disk_named
from pinsage.store.lock import hold_lock, try_lock
from pinsage.store.machine import give_up_memory_reserve

STAGING = ".staging-"
CONTENT, LOCK = "content", ".lock"


@contextmanager
def draft_folder(parent: Path, key: str) -> Iterator[Path]:
    """An empty folder below `parent`, which is removed when the block ends, unless it has been moved away.

    Its own parent is called `.staging-<key>-<attempt>`.
    """
    parent.mkdir(parents=True, exist_ok=True)
    with full_disk_named(parent, "; nothing was published"), ExitStack() as held:
        staging = _new_draft(parent, key, held)
        folder = staging / CONTENT
        folder.mkdir()
        try:
            yield folder
        except MemoryError:
            give_up_memory_reserve()
            raise
        finally:
            _remove(staging)


@contextmanager
def abandoned_drafts(parent: Path) -> Iterator[list[tuple[str, str]]]:
    """The key and the attempt of each draft below `parent` whose process is dead; they are removed after the block."""
    with ExitStack() as held:
        # Their locks are held until they are gone: a draft that has only just been made might be taken for one of them.
        drafts = sorted(parent.glob(f"{STAGING}*"))
        found = [staging for staging in drafts if held.enter_context(try_lock(staging / LOCK))]
        yield [attempt_of(staging) for staging in found]
        for staging in found:
            _remove(staging)
        for staging in drafts:
            with suppress(OSError):  # empty: its owner died before it had made the lock, or after it had removed it
                staging.rmdir()


def _new_draft(parent: Path, key: str, held: ExitStack) -> Path:
    """A new draft, whose lock `held` keeps: by it a later attempt can tell whether this one lives."""
    while True:
        staging = parent / f"{STAGING}{key}-{uuid4().hex[:12]}"
        with suppress(FileNotFoundError):  # it was removed as an abandoned one before it had a lock
            held.enter_context(hold_lock(staging / LOCK))
            if (staging / LOCK).exists():  # else it was removed before the lock was held
                return staging


def _remove(staging: Path) -> None:
    # The lock last: without it nobody could tell that what is left, of whatever size, is nobody's any more.
    shutil.rmtree(staging / CONTENT, ignore_errors=True)
    if not (staging / CONTENT).exists():
        shutil.rmtree(staging, ignore_errors=True)


def attempt_of(staging: Path) -> tuple[str, str]:
    """The key and the attempt in the name of a draft's folder."""
    key, _, attempt = staging.name.removeprefix(STAGING).rpartition("-")
    return key, attempt
