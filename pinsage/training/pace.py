"""The pace of training, for progress reports and for the facts."""

import time

from pinsage.batches.minibatch import Minibatch
from pinsage.batches.producer import BatchProducer
from pinsage.progress import Progress, Tell


class Pace:
    """A count of the steps since training began, or was resumed at step `first`, and their pace."""

    def __init__(
        self, producer: BatchProducer[Minibatch], tell: Tell, *, batch_size: int, first: int, last: int
    ) -> None:
        self._producer, self._tell, self._batch_size = producer, tell, batch_size
        self.first, self._last = first, last
        self._started = time.monotonic()
        self._done = 0

    @property
    def pairs_per_s(self) -> float:
        """Training pairs per second, looks at the validation pairs included."""
        return self._done * self._batch_size / self._seconds

    @property
    def wait_share(self) -> float:
        """Share of the time that was spent waiting for the producer, from 0 to 1."""
        return self._producer.wait_s / self._seconds

    @property
    def _seconds(self) -> float:
        return max(time.monotonic() - self._started, 1e-9)

    def count(self) -> None:
        """Count one step."""
        self._done += 1

    def tell(self, loss: float | None) -> None:
        """Tell how things stand. `loss` is the newest one known."""
        rate = self._done / self._seconds
        step = self.first + self._done
        known = "" if loss is None else f"loss {loss:.4f}, "
        note = f"{known}{self.pairs_per_s:,.0f} pairs/s, {self.wait_share:.0%} waiting for minibatches"
        self._tell(Progress("train", "steps", step, self._last, rate, (self._last - step) / rate, note))
