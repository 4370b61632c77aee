"""A run on an Airflow elsewhere: what is sent, what is said at its end."""

import io

import pytest
from rich.console import Console

from tasks.following import live
from tasks.following.airflow_api import RunState, StageLog, TaskState
from tasks.following.remote_run import RemoteRun, RunFailedError


class Airflow:
    """Stands where Airflow would, with a run that ends at once."""

    def __init__(self, state: str, stage_state: str) -> None:
        self.state, self.stage_state = state, stage_state
        self.calls: list[object] = []

    def log_in(self):
        self.calls.append("log in")

    def unpause(self):
        self.calls.append("unpause")

    def trigger(self, run_id, settings):
        self.calls.append(settings)

    def run_page(self, run_id):
        return "http://airflow/run"

    def run(self, run_id):
        return RunState(self.state, 61.0)

    def tasks(self, run_id):
        return {name: TaskState(name, self.stage_state, 1, 2.0) for name in ("promote", "approve")}

    def report(self, run_id, stage):
        facts = {"model_version": 4, "reason": "it gained", "mlflow_url": "http://mlflow/4"}
        return {"stage": stage, "key": "k", "seconds": 1.0, "reused": False, "facts": facts}

    def stage_log(self, run_id, task):
        return StageLog(["a line of the stage"], "StageFailedError: MLflow is away")


def performed(airflow):
    """The words on the screen, and the error if there was one."""
    screen, error = io.StringIO(), None
    try:
        RemoteRun(airflow, {"train.steps": 5}, Console(file=screen, width=120)).perform()
    except RunFailedError as caught:
        error = caught
    return screen.getvalue(), error


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """No waiting between two looks."""
    monkeypatch.setattr(live, "EVERY_S", 0.0)


def test_only_the_named_settings_are_sent_and_the_outcome_is_told():
    """The DAG is unpaused before: a run of a paused one would wait for ever."""
    airflow = Airflow("success", "success")
    text, error = performed(airflow)
    assert airflow.calls == ["log in", "unpause", {"train.steps": 5}]
    assert error is None
    assert all(words in text for words in ("version 4. it gained", "http://mlflow/4", "61 in all"))


def test_a_failed_run_shows_the_reason_and_says_what_to_do():
    """The end of the stage's log, its error, and an exit that is not 0."""
    text, error = performed(Airflow("failed", "failed"))
    assert all(words in text for words in ("| a line of the stage", "MLflow is away", "http://airflow/run"))
    assert "clear the failed task" in str(error)
