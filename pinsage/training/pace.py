"""How fast training goes, for the log and the facts."""

import logging
import time

from pinsage.batches.producer import BatchProducer

log = logging.getLogger(__name__)
_LOG_EVERY_S = 5.0


class Pace:
    """Counts the steps since training began or was resumed, and says every few seconds how it goes."""

    def __init__(self, producer: BatchProducer, *, batch_size: int, first: int, last: int) -> None:
        self._producer, self._batch_size = producer, batch_size
        self._first, self._last = first, last
        self._started = self._spoke = time.monotonic()
        self._done = 0

    @property
    def pairs_per_s(self) -> float:
        """Training pairs per second, looks at the validation pairs included."""
        return self._done * self._batch_size / max(time.monotonic() - self._started, 1e-9)

    @property
    def wait_share(self) -> float:
        """Share of the time that was spent waiting for the producer, from 0 to 1."""
        return self._producer.wait_s / max(time.monotonic() - self._started, 1e-9)

    def tick(self, loss: float | None) -> None:
        """Count one step; write a line if the last one is old enough. `loss` is the newest one known."""
        self._done += 1
        now = time.monotonic()
        if now - self._spoke < _LOG_EVERY_S and self._first + self._done < self._last:
            return
        self._spoke = now
        left = self._last - self._first - self._done
        log.info(
            "train: step %d/%d, loss %s, %.0f pairs/s, %.0f%% waiting for batches, %.0f s left",
            self._first + self._done,
            self._last,
            "?" if loss is None else f"{loss:.4f}",
            self.pairs_per_s,
            100 * self.wait_share,
            left * (now - self._started) / self._done,
        )
