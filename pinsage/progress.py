"""Progress of a job, and who is told: how far it is, how fast it goes lately, and the metrics of a training."""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

WINDOW_S = 30.0  # the pace is that of the last half minute,
WINDOW_MARKS = 16  # or of the last parts where they take longer than that


@dataclass(frozen=True)
class Progress:
    """The state of a job. `left_s` is None while nothing gets done.

    `unit` is what is counted: pins, parts or steps. `note` is what else is worth knowing.
    """

    label: str
    unit: str
    done: int
    total: int
    per_second: float
    left_s: float | None
    note: str = ""

    @property
    def is_over(self) -> bool:
        """True if everything is done."""
        return self.done == self.total

    @property
    def in_words(self) -> str:
        """The pace, how long the rest takes at it, and the note."""
        pace = f"{self.per_second:,.0f}" if self.per_second >= 10 else f"{self.per_second:.2g}"
        left = "stalled" if self.left_s is None else f"{self.left_s:,.0f} s left"
        return f"{pace} {self.unit}/s, {left}" + (f"; {self.note}" if self.note else "")

    def __str__(self) -> str:
        """One line for a log."""
        share = 100 * self.done / max(self.total, 1)
        return f"{self.label}: {self.done:,} of {self.total:,} {self.unit} ({share:.0f} %), {self.in_words}"


OnProgress = Callable[[Progress], None]


def ignore_progress(progress: Progress) -> None:
    """Drop what is reported."""


LogMetrics = Callable[[Mapping[str, float], int], None]  # the metrics of a training by name, and its step


def log_nothing(metrics: Mapping[str, float], step: int) -> None:
    """Drop the metrics of a step: no experiment is being tracked."""


class Pace:
    """Units per second over a window that slides: it follows workers that come, go or stop."""

    def __init__(self, now: float) -> None:
        """Begin at the time `now`, in seconds of a clock that only goes forward."""
        self._marks: deque[tuple[float, int]] = deque([(now, 0)])

    def mark(self, done: int, now: float) -> None:
        """Note that `done` units are done altogether."""
        self._marks.append((now, done))
        while len(self._marks) > WINDOW_MARKS and now - self._marks[1][0] > WINDOW_S:
            self._marks.popleft()

    def per_second(self, now: float) -> float:
        """Units per second from the window's begin until now; it falls while nothing gets done."""
        (begin, before), (_, done) = self._marks[0], self._marks[-1]
        return (done - before) / max(now - begin, 1e-9)


class ProgressReporter:
    """A count of what is done, reported as it grows: in pins if the sizes of the parts are known, else in parts."""

    def __init__(self, on_progress: OnProgress, label: str, num_parts: int, sizes: Sequence[int] | None = None) -> None:
        self._on_progress, self._label, self._unit = on_progress, label, "parts" if sizes is None else "pins"
        self._sizes = [1] * num_parts if sizes is None else sizes
        self._done, self._total, self._pace = 0, sum(self._sizes), Pace(time.monotonic())

    def done(self, number: int) -> None:
        """Count a part."""
        self._done += self._sizes[number]
        self._pace.mark(self._done, time.monotonic())
        self.report()

    def report(self) -> None:
        """Report how far the job is."""
        rate = self._pace.per_second(time.monotonic())
        left_s = (self._total - self._done) / rate if rate > 0 else None
        self._on_progress(Progress(self._label, self._unit, self._done, self._total, rate, left_s))
