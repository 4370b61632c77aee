"""A prefetcher: threads build the next minibatches while the device computes this one (PinSage §3.3)."""

import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Generic, TypeVar

Batch = TypeVar("Batch")


class BatchProducer(Generic[Batch]):
    """An iterator over the minibatches of steps `first` to `last` - 1, built ahead by background threads.

    Each thread takes the next step nobody has taken; the minibatches are handed out in the order of their steps,
    whichever is finished first. So their number changes when a minibatch is ready, never what it is or where it comes.

    Use it as a context manager: leaving the block, by whatever exit, ends the threads. `wait_s` is the time the
    consumer has spent waiting, in seconds.
    """

    def __init__(
        self, build: Callable[[int], Batch], *, first: int, last: int, ahead: int = 3, num_producers: int = 1
    ) -> None:
        """Prepare the threads.

        Args:
            build: the minibatch of a step; called by several threads at once when `num_producers` > 1.
            ahead: most minibatches that are finished or being built beyond the one in use.
        """
        self.wait_s = 0.0
        self._build, self._ahead = build, max(ahead, num_producers)
        self._next_built = self._next_used = first
        self._last = last
        self._finished: dict[int, Batch | BaseException] = {}
        self._changed = threading.Condition()
        self._threads = [
            threading.Thread(target=self._produce, name=f"batch-producer-{number}", daemon=True)
            for number in range(num_producers)
        ]

    def __enter__(self) -> "BatchProducer[Batch]":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._last = self._next_used  # nothing left to build, nothing left to hand out
            self._changed.notify_all()
        # Waited for, or a thread could still read memory maps that the caller is about to close.
        for thread in self._threads:
            thread.join()
        self._finished.clear()

    def __iter__(self) -> Iterator[Batch]:
        """The minibatches in the order of their steps.

        Raises:
            BaseException: whatever stopped the building of a step, with its own message, when that step's turn comes.
        """
        while self._next_used < self._last:
            batch = self._take()
            if isinstance(batch, BaseException):
                raise batch
            yield batch
            del batch  # the memory of a minibatch in use is not held while waiting for the next one

    def _take(self) -> Batch | BaseException:
        started = time.monotonic()
        with self._changed:
            while self._next_used not in self._finished:
                self._changed.wait()
            # In the order of steps, whoever was first: what a step trains on must not depend on the threads.
            batch = self._finished.pop(self._next_used)
            self._next_used += 1
            self._changed.notify_all()
        self.wait_s += time.monotonic() - started
        return batch

    def _produce(self) -> None:
        while (step := self._claim()) is not None:
            try:
                batch: Batch | BaseException = self._build(step)
            # Even a KeyboardInterrupt goes to the consumer: an error that ended this thread alone would leave it
            # waiting.
            except BaseException as error:
                batch = error
            with self._changed:
                self._finished[step] = batch
                if isinstance(batch, BaseException):
                    self._next_built = self._last  # what comes after an error is never asked for
                self._changed.notify_all()
            # As in the consumer: or this thread would hold its last minibatch while it waits for the next step.
            del batch

    def _claim(self) -> int | None:
        """The next step to build, once it is near enough to the one in use; None when there is nothing left."""
        with self._changed:
            while self._next_built < self._last and self._next_built >= self._next_used + self._ahead:
                self._changed.wait()
            if self._next_built >= self._last:
                return None
            self._next_built += 1
            return self._next_built - 1
