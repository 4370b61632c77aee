"""The task that asks: nobody by default; its question, the answer that reaches the stage, and patience with MLflow."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import approval_task
import pytest
from airflow.sdk import DAG, Param
from airflow.sdk.api.datamodels._generated import DagRunType
from airflow.sdk.exceptions import AirflowFailException, TaskAwaitingInput
from approval_task import ApprovalTask

from pinsage.settings.loading import flat, load_settings
from tasks.running.launch import StageFailedError

WAITING = {"model_name": "pinsage-demo-1a2b", "model_version": 3, "answer": "waiting", "question": "| churn | passed |"}
ANNA = {"id": "7", "name": "anna"}


def context(**params) -> dict:
    """The part of Airflow's context that the task looks at."""
    return {
        "dag": SimpleNamespace(dag_id="train_pinsage"),
        "dag_run": SimpleNamespace(run_type=DagRunType.MANUAL),
        "params": {**flat(load_settings()), "promote.approval_hours": 2.0, **params},
        "run_id": "r1",
        "task_instance": SimpleNamespace(id="ti"),
        "ti": SimpleNamespace(log_url="http://127.0.0.1:8080/dags/train_pinsage/runs/r1/tasks/approve?try_number=1"),
    }


def event(option: str, user: dict | None = ANNA, note: str | None = "") -> dict:
    """An answer as Airflow hands it over."""
    given = {"chosen_options": [option], "params_input": {"note": note}}
    return {**given, "responded_at": datetime(2026, 5, 1, tzinfo=UTC), "responded_by_user": user}


@pytest.fixture
def task() -> ApprovalTask:
    """The task, in a DAG with a parameter of its own."""
    with DAG("one_question", schedule=None, params={"train.steps": Param(5)}):
        return ApprovalTask()


@pytest.fixture
def commands(monkeypatch):
    """The commands that the stage's process was given; it answers with the facts, or errors, of `told`."""
    given: list = []

    def run(process, on_line):
        given.append(process._command)
        told = given_answers.pop(0)
        if isinstance(told, Exception):
            raise told
        return {"stage": "approve", "key": "", "facts": told}

    given_answers: list = []
    monkeypatch.setattr("stage_task.StageProcess.run", run)
    monkeypatch.setattr(approval_task.time, "sleep", lambda seconds: None)
    return SimpleNamespace(given=given, told=given_answers)


@pytest.fixture
def asked(monkeypatch):
    """The questions that Airflow was given."""
    questions: list[dict] = []
    hitl = "airflow.providers.standard.operators.hitl.upsert_hitl_detail"
    monkeypatch.setattr(hitl, lambda **question: questions.append(question))
    return questions


@pytest.mark.parametrize("answer", ["nobody is asked", "approved", "rejected"])
def test_where_nobody_is_to_be_asked_the_task_ends_at_once(task, commands, asked, answer):
    """By default, and when it is cleared after an answer."""
    commands.told.append({"answer": answer})
    assert task.execute(context())["facts"] == {"answer": answer}
    assert asked == []


def test_a_model_that_waits_is_asked_for_with_its_checks(task, commands, asked):
    """The form has a field for a note and none of the DAG's; silence is a rejection after the hours of the settings."""
    commands.told.append(WAITING)
    with pytest.raises(TaskAwaitingInput) as parked:
        task.execute(context())
    assert parked.value.timeout.total_seconds() == 2 * 3600
    [question] = asked
    assert question["subject"] == "May version 3 of pinsage-demo-1a2b go live?"
    assert question["body"] == "| churn | passed |"
    assert (question["options"], question["defaults"]) == (["Approve", "Reject"], ["Reject"])
    assert list(question["params"]) == ["note"]


def test_a_question_too_long_for_an_xcom_says_where_the_checks_are(task, commands, asked):
    """The longest facts of a report are left out."""
    commands.told.append({name: fact for name, fact in WAITING.items() if name != "question"})
    with pytest.raises(TaskAwaitingInput):
        task.execute(context())
    assert asked[0]["body"] == "`pinsage champion why 3` shows its checks."


@pytest.mark.parametrize(
    ("told", "answer"),
    [
        (event("Approve", note="Fine."), {"approves": True, "by": "anna", "note": "Fine."}),
        (event("Reject", note=None), {"approves": False, "by": "anna", "note": ""}),
        (event("Reject", {"id": "7", "name": ""}), {"approves": False, "by": "7", "note": ""}),
        (event("Reject", None), {"approves": False, "by": "", "note": ""}),  # nobody answered in time
    ],
)
def test_the_answer_reaches_the_stage(task, commands, told, answer):
    """Who gave it, too."""
    commands.told.append({"answer": "approved"})
    assert task.execute_complete(context(), told)["facts"] == {"answer": "approved"}
    [command] = commands.given
    assert json.loads(command.more["--answer"]) == answer
    assert (command.stage, command.run_id) == ("approve", "r1")


def test_an_answer_is_kept_while_mlflow_is_away(task, commands):
    """Nobody is asked twice for that; an answer that cannot be taken fails at once."""
    away = StageFailedError("MLflow did not answer.", retry_can_help=True)
    commands.told += [away, away, {"answer": "approved"}]
    assert task.execute_complete(context(), event("Approve"))["facts"] == {"answer": "approved"}
    commands.told.append(StageFailedError("Another champion.", retry_can_help=False))
    with pytest.raises(AirflowFailException, match="Another champion"):
        task.execute_complete(context(), event("Approve"))
    commands.told += [away] * approval_task.TRIES
    with pytest.raises(StageFailedError):
        task.execute_complete(context(), event("Approve"))
    assert commands.told == []
