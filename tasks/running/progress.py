"""Progress of work on the cluster: lines in a log, or a bar on a terminal."""

import logging
import time
from typing import TYPE_CHECKING

from pinsage.progress import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

log = logging.getLogger(__name__)
EVERY_S = 10.0


class ProgressLines:
    """A line every few seconds, and one at the end of what took longer than that."""

    def __init__(self, every_s: float = EVERY_S) -> None:
        self._every_s = every_s
        self._label, self._said, self._begun = "", 0.0, 0.0

    def __call__(self, progress: Progress) -> None:
        """Log how things stand, unless that was done a moment ago."""
        now = time.monotonic()
        if progress.label != self._label:
            self._label, self._said, self._begun = progress.label, now, now
        is_due = now - self._said >= self._every_s
        if is_due or (progress.is_over and now - self._begun >= self._every_s):
            log.info("%s", progress)
            self._said = now


class ProgressBar:
    """A bar of its own below those that run, for as long as the work does."""

    def __init__(self, bars: "Bars") -> None:
        self._bars = bars
        self._label = ""
        self._task: TaskID | None = None

    def __call__(self, progress: Progress) -> None:
        """Draw how things stand."""
        if progress.label != self._label:
            self.clear()
            self._label, self._task = progress.label, self._bars.add_task("", total=progress.total)
        if self._task is not None:
            self._bars.update(self._task, completed=progress.done, description=f"{progress.label}: {progress.in_words}")
        if progress.is_over:
            self.clear()

    def clear(self) -> None:
        """Take the bar away."""
        if self._task is not None:
            self._bars.remove_task(self._task)
        self._task, self._label = None, ""
