"""A lock between hosts that share nothing but a store: whoever made the file with the highest number holds it.

    <name>/000000000007     the lease of its holder, written anew every few seconds; empty once it has been given back

The next number is made by a create that cannot replace. A holder that has died writes no more, and who waits takes over
when the file has not changed for LEASE_S by the waiter's own clock; no two clocks are compared.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol
from uuid import uuid4

from pinsage.errors import StoreError

log = logging.getLogger(__name__)
LEASE_S = 30.0
_LOOK_S = 0.5
_GIVEN_BACK = b""


class Files(Protocol):
    """The part of a bucket that a lease needs."""

    def read(self, name: str) -> bytes | None:
        """The content of a file, None where there is none."""

    def create(self, name: str, content: bytes) -> bool:
        """Write a file unless there is one; return whether `content` is what stands there now."""

    def replace(self, name: str, content: bytes) -> None:
        """Write a file, in place of the one that may be there."""

    def names(self, prefix: str = "") -> list[str]:
        """The names of all files in the folder `prefix` and below it, in order."""

    def remove(self, name: str) -> None:
        """Remove a file if it is there."""


@contextmanager
def hold_lease(bucket: Files, name: str) -> Iterator[None]:
    """Hold the lease called `name` within the block; wait for it."""
    own = _take(bucket, name)
    try:
        with every(LEASE_S / 6, lambda: bucket.replace(own, uuid4().bytes)):
            yield
    finally:
        bucket.replace(own, _GIVEN_BACK)


@contextmanager
def every(seconds: float, renew: Callable[[], None]) -> Iterator[None]:
    """Call `renew` in a thread again and again within the block; where the store fails it, that is a warning."""
    is_over = threading.Event()

    def repeat() -> None:
        while not is_over.wait(seconds):
            try:
                renew()
            except StoreError as error:
                log.warning("A sign of life did not reach the store: %s", error)

    thread = threading.Thread(target=repeat, name="sign of life", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _take(bucket: Files, name: str) -> str:
    """The file of a new lease of ours, when nobody holds one."""
    seen, since = _GIVEN_BACK, time.monotonic()
    while True:
        # Numbers have twelve digits, so the last name is the highest.
        last = next(reversed(bucket.names(name)), "")
        held = (bucket.read(last) or _GIVEN_BACK) if last else _GIVEN_BACK
        if held != seen:
            seen, since = held, time.monotonic()
        if held == _GIVEN_BACK or time.monotonic() - since > LEASE_S:
            own = f"{name}/{int(last.rpartition('/')[2] or 0) + 1:012d}"
            if bucket.create(own, uuid4().bytes) and _is_highest(bucket, name, own):
                return own
        time.sleep(_LOOK_S)


def _is_highest(bucket: Files, name: str, own: str) -> bool:
    """Return whether no later lease is there, and remove the earlier ones.

    Who was slow between looking and making may have made a number that a later holder had cleared away.
    """
    *earlier, last = bucket.names(name)
    if last != own:
        bucket.remove(own)
        return False
    for number in earlier:
        bucket.remove(number)
    return True
