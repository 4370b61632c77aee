"""A task of the DAG: what it asks of its stage, what it makes of the answer."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
import stage_task
from airflow.sdk import DAG, Asset
from airflow.sdk.api.datamodels._generated import DagRunType
from airflow.sdk.exceptions import AirflowFailException
from stage_task import StageTask, fail_experiment

from pinsage.settings.loading import flat, load_settings
from tasks.running.launch import StageFailedError

MIDNIGHT = datetime(2026, 5, 1, tzinfo=UTC)
CATALOG = Asset("catalog_of_a_test")
REPORT = {"stage": "ingest", "key": "k", "seconds": 1.5, "reused": False, "facts": {"pins": 3}}


def context(run_type=DagRunType.MANUAL, **params) -> dict:
    """The part of Airflow's context that a task looks at."""
    return {
        "dag": SimpleNamespace(dag_id="train_pinsage"),
        "dag_run": SimpleNamespace(run_type=run_type, data_interval_end=MIDNIGHT),
        "outlet_events": {CATALOG: SimpleNamespace(extra={})},
        "params": {**flat(load_settings()), **params},
        "run_id": "r1",
        "ti": SimpleNamespace(log_url="http://127.0.0.1:8080/dags/train_pinsage/runs/r1/tasks/ingest?try_number=1"),
    }


@pytest.fixture
def task() -> StageTask:
    """The ingest task, in a DAG of its own."""
    with DAG("one_task", schedule=None):
        return StageTask(stage="ingest", publishes=[CATALOG])


@pytest.fixture
def answering(monkeypatch):
    """Lets a prepared answer stand for the stage's process; the commands it was given are kept."""
    commands: list = []

    def use(answer):
        def run(process, on_line):
            commands.append(process._command)
            on_line("12:00:01 WARNING two rows quarantined")
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(stage_task.StageProcess, "run", run)
        return commands

    return use


@pytest.mark.parametrize(
    ("run_type", "params", "as_of"),
    [
        (DagRunType.MANUAL, {}, None),
        (DagRunType.SCHEDULED, {}, MIDNIGHT.isoformat()),
        (DagRunType.BACKFILL, {}, MIDNIGHT.isoformat()),
        (DagRunType.SCHEDULED, {"data.as_of": "2026-01-01T00:00:00Z"}, "2026-01-01T00:00:00Z"),
    ],
)
def test_a_scheduled_run_sees_the_data_as_of_the_end_of_its_interval(task, answering, run_type, params, as_of):
    """A manual run sees all of it; whoever names an instant gets that one."""
    commands = answering(REPORT)
    task.execute(context(run_type, **params))
    assert commands[0].settings.get("data.as_of") == as_of


def test_the_report_is_the_xcom_and_the_asset_names_the_artifact(task, answering, caplog):
    """The stage's level survives into the task's log; the run remembers where it came from."""
    commands = answering(REPORT)
    told = context()
    assert task.execute(told) == REPORT
    assert told["outlet_events"][CATALOG].extra == {"run_id": "r1", "key": "k"}
    page = "http://127.0.0.1:8080/dags/train_pinsage/runs/r1"
    assert commands[0].origin == {"dag_id": "train_pinsage", "triggered_by": "manual", "airflow_url": page}


def test_lines_keep_their_level_and_their_fields(task, monkeypatch):
    """A line that is no log line is information."""
    said: list[tuple] = []
    monkeypatch.setattr(
        StageTask, "log", SimpleNamespace(log=lambda level, form, text, **more: said.append((level, text, more)))
    )
    task._log_line("12:00:01 WARNING two rows quarantined")
    task._log_line("Traceback (most recent call last):")
    task._log_line('{"event": "no rows", "level": "error", "stage": "ingest", "key": "k"}')
    assert said == [
        (30, "two rows quarantined", {}),
        (20, "Traceback (most recent call last):", {}),
        (40, "no rows", {"stage": "ingest", "key": "k"}),
    ]


def test_only_a_failure_that_may_pass_is_retried(task, answering):
    """Bad input fails the task at once."""
    answering(StageFailedError("The disk is full.", retry_can_help=True))
    with pytest.raises(StageFailedError, match="disk is full"):
        task.execute(context())
    answering(StageFailedError("No table 'pins'.", retry_can_help=False))
    with pytest.raises(AirflowFailException, match="No table 'pins'"):
        task.execute(context())


def test_a_task_asked_to_end_asks_its_stage(task, answering, monkeypatch):
    """Before it runs there is nobody to ask."""
    stopped: list[bool] = []
    monkeypatch.setattr(stage_task.StageProcess, "stop", lambda process: stopped.append(True))
    task.on_kill()
    assert not stopped
    answering(REPORT)
    task.execute(context())
    task.on_kill()
    assert stopped == [True]


def test_a_failed_run_ends_its_experiment(monkeypatch):
    """Whatever killed the task, the DAG's callback says so to MLflow."""
    told: list[tuple] = []
    monkeypatch.setattr(stage_task, "record_failure", lambda *words: told.append(words))
    fail_experiment({"run_id": "r1", "reason": "task_failure"})
    assert told == [("r1", stage_task.HOME, "task_failure")]
