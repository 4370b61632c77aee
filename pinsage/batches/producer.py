"""Builds the next minibatches in a thread while the device computes this one (PinSage §3.3, producer-consumer)."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType

from pinsage.batches.minibatch import Minibatch

_POLL_S = 0.1  # how long a blocked producer can take to notice that nobody is listening any more


class BatchProducer:
    """An iterator over the minibatches of steps `first` to `last` - 1, built ahead by one background thread.

    Use it as a context manager: leaving the block, by whatever exit, ends the thread. `wait_s` is the time the
    consumer has spent waiting, in seconds.
    """

    def __init__(self, minibatch: Callable[[int], Minibatch], *, first: int, last: int, ahead: int = 3) -> None:
        """`minibatch` builds the minibatch of a step; at most `ahead` of them wait in the queue."""
        self.wait_s = 0.0
        self._minibatch, self._steps = minibatch, range(first, last)
        self._queue: queue.Queue[Minibatch | BaseException] = queue.Queue(maxsize=ahead)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._produce, name="batch-producer", daemon=True)

    def __enter__(self) -> "BatchProducer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def __iter__(self) -> Iterator[Minibatch]:
        """The minibatches in the order of their steps.

        Raises:
            BaseException: whatever stopped the producer, with its own message.
        """
        for _ in self._steps:
            started = time.monotonic()
            item = self._queue.get()
            self.wait_s += time.monotonic() - started
            if isinstance(item, BaseException):
                raise item
            yield item

    def _produce(self) -> None:
        try:
            for step in self._steps:
                if not self._put(self._minibatch(step)):
                    return
        except BaseException as error:
            self._put(error)

    def _put(self, item: Minibatch | BaseException) -> bool:
        """Whether the item could be handed over before the consumer left."""
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=_POLL_S)
            except queue.Full:
                continue
            return True
        return False
