"""A run as it goes, in the terminal: a table that moves on a tty, a line per change elsewhere."""

import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pinsage.store.manifest import Fact
from pinsage.store.run import StageResult
from tasks.following.airflow_api import AirflowApi, RunState, TaskState
from tasks.stages import STAGES

EVERY_S = 1.5
WORDS = {
    "": ("waiting", "dim"),
    "scheduled": ("waiting", "dim"),
    "queued": ("queued", "cyan"),
    "awaiting_input": ("waits for your answer under Required Actions of its page", "bold yellow"),
    "running": ("running", "bold cyan"),
    "success": ("done", "green"),
    "up_for_retry": ("will retry", "yellow"),
    "failed": ("failed", "bold red"),
    "upstream_failed": ("not started", "dim red"),
}
HEADLINES = {
    "ingest": "pins boards saves pictures",
    "pair": "train_pairs validation_pairs test_pairs",
    "connect": "saves isolated_pins",
    "featurize_text": "pins_with_text vocabulary",
    "featurize_visual": "pins_with_picture pictures_per_s",
    "featurize_saves": "rank energy_captured",
    "walk": "mean_neighbors pins_per_second",
    "train": "steps final_loss validation_hit_rate_at_10",
    "embed": "num_pins",
    "index": "recall_at_10 queries_per_s",
    "evaluate": "pinsage_test_hit_rate_at_10 pinsage_test_scaled_mrr",
    "compare_days": "verdict warnings stops",
    "report": "query_rows size_mb",
    "promote": "model_name model_version is_champion",
    "approve": "answer by",
    "release": "release is_current",
}


@dataclass(frozen=True)
class Row:
    """One stage on the screen: Airflow's view, and the stage's own result once there is one."""

    task: TaskState
    result: StageResult | None

    @property
    def word(self) -> str:
        """The state in a word or two."""
        word = WORDS.get(self.task.state, (self.task.state, ""))[0]
        return "made before" if word == "done" and self.result and self.result.reused else word

    @property
    def style(self) -> str:
        """The color of that word."""
        return WORDS.get(self.task.state, ("", ""))[1]

    @property
    def time(self) -> str:
        """Seconds of the task, start-up included; the attempt if it is not the first."""
        again = f" (attempt {self.task.attempt})" if self.task.attempt > 1 else ""
        return f"{self.task.seconds:.1f} s{again}" if self.task.seconds else ""

    @property
    def facts(self) -> str:
        """The first few facts that the stage reported."""
        return headline(self.result) if self.result and self.task.state == "success" else ""


def headline(result: StageResult) -> str:
    """The facts of a result that are worth a line of a table; of a stage not known here, the first three."""
    wanted = HEADLINES.get(result.stage, "").split() or list(result.facts)[:3]
    return ", ".join(f"{name} {_short(result.facts[name])}" for name in wanted if name in result.facts)


@dataclass
class Follower:
    """A view of one run of the DAG, until it ends. What the stages report comes from Airflow, too."""

    api: AirflowApi
    run_id: str
    console: Console
    _results: dict[str, StageResult] = field(default_factory=dict)

    def follow(self) -> tuple[RunState, dict[str, Row]]:
        """Show the run until it ends; its last state and rows."""
        shown: dict[str, str] = {}
        with self._screen() as live:
            while True:
                state, rows = self.api.run(self.run_id), self.rows()
                if live:
                    live.update(self.table(state, rows))
                else:
                    self._print_changes(state, rows, shown)
                if state.has_ended:
                    return state, rows
                time.sleep(EVERY_S)

    def rows(self) -> dict[str, Row]:
        """Every stage, in the order of the table."""
        tasks = self.api.tasks(self.run_id)
        for name, task in tasks.items():
            is_news = task.state == "success" and name not in self._results
            if is_news and (report := self.api.report(self.run_id, name)):
                self._results[name] = StageResult(**report)
        return {name: Row(tasks.get(name, TaskState(name, "", 0, 0.0)), self._results.get(name)) for name in STAGES}

    def table(self, state: RunState, rows: dict[str, Row]) -> Table:
        """The run as a table of stages."""
        done = sum(row.task.state == "success" for row in rows.values())
        title = f"{self.run_id}: {done} of {len(rows)} stages, {state.seconds:.0f} s, {self._word(state)}"
        table = Table(title=title, title_justify="left", expand=False)
        for name in ("stage", "state", "time", "what came out"):
            table.add_column(name, no_wrap=name != "what came out", justify="right" if name == "time" else "left")
        for name, row in rows.items():
            table.add_row(name, Text(row.word, style=row.style), row.time, row.facts)
        return table

    def _screen(self) -> "AbstractContextManager[Live | None]":
        if self.console.is_terminal:
            return Live(console=self.console, refresh_per_second=4)
        return nullcontext()

    def _print_changes(self, state: RunState, rows: dict[str, Row], shown: dict[str, str]) -> None:
        words = {self.run_id: (self._word(state), "")}
        words |= {name: (row.word, f"{row.time}  {row.facts}".strip()) for name, row in rows.items()}
        for name, (word, details) in words.items():
            if word != shown.get(name, "waiting"):
                line = f"{time.strftime('%H:%M:%S')}  {name}  {word}  {details if word != 'running' else ''}".rstrip()
                self.console.print(line, markup=False, highlight=False, soft_wrap=True)
            shown[name] = word

    def _word(self, state: RunState) -> str:
        if state.state != "queued":
            return state.state
        others = self.api.other_active_runs(self.run_id)
        return f"waiting for {others[0]} to end" if others else "queued"


def _short(value: Fact) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)[:40]
