"""Stages of a run in this process, one after the other, without Airflow."""

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from pinsage.settings.schema import Settings
from pinsage.store.run import StageResult
from tasks.command_line.terminal import log_to
from tasks.running.launch import failure_recorded_at_an_end
from tasks.running.progress import ProgressBar
from tasks.running.stage_process import perform
from tasks.stages import REFRESH_STAGES, STAGES

ORIGIN = {"triggered_by": "command line"}


@dataclass(frozen=True)
class LocalRun:
    """A run that is worked on in this process, in the data folder `home`. `origin` says where it came from."""

    run_id: str
    settings: Settings
    home: Path
    origin: dict[str, str] = field(default_factory=ORIGIN.copy)

    def perform(self, stages: Sequence[str], console: Console) -> list[StageResult]:
        """The results of the stages, in order; progress is a bar on a terminal and a line per stage elsewhere.

        Raises:
            PinSageError: a stage cannot be done; those before it stay done, and the MLflow run is marked as failed.
        """
        log_to(console)
        with self._told_of_an_end(), _bar(console) as bar:
            task = bar.add_task("", total=len(stages))
            return [self._one(stage, bar, task) for stage in stages]

    def _one(self, stage: str, bar: Progress, task: Any) -> StageResult:
        bar.update(task, description=f"{stage}: {(STAGES.get(stage) or REFRESH_STAGES[stage]).summary}")
        on_progress = None if bar.disable else ProgressBar(bar)
        result = perform(stage, self.run_id, self.settings, self.home, self.origin, on_progress)
        how = "reused" if result.reused else f"{result.seconds:.1f} s"
        bar.console.print(f"[green]done[/]  {stage:<17} {how}")
        bar.advance(task)
        return result

    @contextmanager
    def _told_of_an_end(self) -> Iterator[None]:
        """Let Ctrl-C, SIGTERM and SIGKILL end the MLflow run too: no error reaches the stage's own handling then."""
        before = signal.signal(signal.SIGTERM, _leave)
        try:
            with failure_recorded_at_an_end(self.run_id, self.home):
                yield
        finally:
            signal.signal(signal.SIGTERM, before)


def _bar(console: Console) -> Progress:
    columns = (
        SpinnerColumn(),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
