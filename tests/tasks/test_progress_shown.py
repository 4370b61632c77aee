"""Progress is a line now and then in a log, and a bar on a terminal."""

import io
import logging

from rich.console import Console
from rich.progress import Progress as Bars

from pinsage.progress import Progress
from tasks.running.progress import ProgressBar, ProgressLines


def at(done, label="walk"):
    return Progress(label, "pins", done, 100, 50.0, (100 - done) / 50)


def test_lines_come_now_and_then_and_at_the_end(caplog, monkeypatch):
    """Every ten seconds of a clock that the test moves."""
    lines, now = ProgressLines(every_s=10), iter([0, 4, 11, 12, 22, 23])
    monkeypatch.setattr("tasks.running.progress.time.monotonic", lambda: next(now))
    with caplog.at_level(logging.INFO, logger="tasks"):
        for done in (0, 20, 40, 60, 80, 100):
            lines(at(done))
    assert [line.split(" pins (")[0] for line in caplog.messages] == [
        "walk: 40 of 100", "walk: 80 of 100", "walk: 100 of 100",
    ]  # fmt: skip


def test_a_quick_job_says_nothing(caplog):
    """Its stage has a line of its own."""
    with caplog.at_level(logging.INFO, logger="tasks"):
        lines = ProgressLines(every_s=10)
        [lines(at(done)) for done in (50, 100)]
    assert caplog.messages == []


def test_a_terminal_shows_a_bar_while_the_work_lasts():
    """Below the bar of the stages; it goes away at the end, and the next job gets its own."""
    with Bars(console=Console(file=io.StringIO(), force_terminal=True)) as bars:
        bars.add_task("stages", total=12)
        bar = ProgressBar(bars)
        bar(at(40))
        assert [(task.completed, task.total) for task in bars.tasks] == [(0, 12), (40, 100)]
        assert bars.tasks[1].description == "walk: 50 pins/s, 1 s left"
        bar(at(10, "embed"))
        assert [task.description.split(":")[0] for task in bars.tasks] == ["stages", "embed"]
        bar(at(100, "embed"))
        assert len(bars.tasks) == 1
