"""A run in the terminal: one line per change, or a table."""

import io

from rich.console import Console

from pinsage.store.run import StageResult
from tasks.following import live
from tasks.following.airflow_api import RunState, TaskState
from tasks.following.live import Follower, headline
from tasks.stages import STAGES


class Airflow:
    """Stands where Airflow would: tells a prepared story, one chapter per call."""

    def __init__(self, *chapters: tuple[str, dict[str, str]]) -> None:
        self.chapters = list(chapters)
        self.asked: list[str] = []

    def run(self, run_id):
        state, self.tasks_now = self.chapters.pop(0)
        return RunState(state, 3.0)

    def tasks(self, run_id):
        return {name: TaskState(name, state, 1, 2.0) for name, state in self.tasks_now.items()}

    def report(self, run_id, stage):
        self.asked.append(stage)
        facts = {"boards": 7, "pins": 12345, "other": 1}
        return {"stage": stage, "key": "k", "seconds": 1.0, "reused": True, "facts": facts} if stage == "ingest" else {}

    def other_active_runs(self, run_id):
        return ["scheduled__1"]


def told(airflow, monkeypatch, **options):
    """What a person sees of a run, and how it ended."""
    monkeypatch.setattr(live, "EVERY_S", 0.0)
    screen = io.StringIO()
    console = Console(file=screen, width=120, **options)
    state, rows = Follower(airflow, "r1", console).follow()
    return screen.getvalue(), state, rows


def test_without_a_terminal_every_change_is_one_line(monkeypatch):
    """Nothing twice; a run that waits says for whom; reuse and the facts that matter are in the line."""
    airflow = Airflow(
        ("queued", {}),
        ("running", {"ingest": "running"}),
        ("running", {"ingest": "running"}),
        ("running", {"ingest": "success", "pair": "up_for_retry"}),
        ("failed", {"ingest": "success", "pair": "failed", "connect": "upstream_failed"}),
    )
    text, state, rows = told(airflow, monkeypatch)
    lines = [line.split("  ", 1)[1] for line in text.splitlines()]
    assert lines == [
        "r1  waiting for scheduled__1 to end",
        "r1  running",
        "ingest  running",
        "ingest  made before  2.0 s  pins 12,345, boards 7",
        "pair  will retry  2.0 s",
        "r1  failed",
        "pair  failed  2.0 s",
        "connect  not started  2.0 s",
    ]
    assert state.state == "failed"
    assert list(rows) == list(STAGES)
    assert airflow.asked.count("ingest") == 1


def test_on_a_terminal_the_run_is_a_table_of_all_stages(monkeypatch):
    """The last picture stays on the screen."""
    airflow = Airflow(("running", {"ingest": "running"}), ("success", dict.fromkeys(STAGES, "success")))
    text, _, _ = told(airflow, monkeypatch, force_terminal=True)
    assert f"{len(STAGES)} of {len(STAGES)} stages" in text
    assert all(name in text for name in STAGES)
    assert "made before" in text


def test_a_stage_this_file_does_not_know_shows_its_first_facts():
    """Numbers are shortened, yes and no are words."""
    result = StageResult("new", "k", 1.0, False, {"rate": 0.123456, "is_good": True, "count": 4321, "more": 1})
    assert headline(result) == "rate 0.1235, is_good yes, count 4,321"
