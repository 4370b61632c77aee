"""Notices: a stage that failed and a run that is late reach a web hook, with all that one needs to look further."""

import json
from datetime import timedelta
from types import SimpleNamespace

import pytest
import structlog
from airflow.sdk.execution_time.callback_supervisor import execute_callback
from notices import LATE_HOURS, NOTIFY, NoticeError, late_after, send, tell_failure, tell_lateness, tell_lost_failure
from web_hook import web_hook

from pinsage.errors import SettingsError

PAGE = "http://127.0.0.1:8080/dags/train_pinsage/runs/r1/tasks/walk?try_number=3"


class Task(SimpleNamespace):
    """The part of a task instance that a notice looks at, with its XComs."""

    dag_id, task_id, run_id, try_number, map_index, log_url = "train_pinsage", "walk", "r1", 3, -1, PAGE

    def xcom_push(self, key, value):
        """Keep a value."""
        self.pushed = {key: value}

    def xcom_pull(self, task_ids, key, map_indexes):
        """The value that was kept, by this task alone."""
        assert (task_ids, map_indexes) == (self.task_id, self.map_index)
        return getattr(self, "pushed", {}).get(key)


@pytest.fixture
def hook(monkeypatch):
    """A web hook that is told of failures."""
    with web_hook() as server:
        monkeypatch.setenv(NOTIFY, f"json://{server.place}/")
        yield server


def notices(hook) -> list[tuple[str, str]]:
    """Title and text of what was told."""
    return [(body["title"], body["message"]) for body in map(json.loads, hook.bodies)]


def test_a_failure_names_stage_run_reason_and_log(hook):
    """In four lines."""
    tell_failure({"ti": Task(), "exception": RuntimeError("The disk of <x> & 'y' is full.")})
    [(title, text)] = notices(hook)
    assert title == "train_pinsage: walk failed"
    assert text.splitlines() == [
        "Run: r1",
        "Stage: walk, attempt 3",
        "Reason: The disk of <x> & 'y' is full.",
        f"Log: {PAGE}",
    ]


def test_a_task_that_was_killed_is_told_of_by_the_run(hook):
    """Airflow calls back for the run alone then, without an exception."""
    tell_lost_failure({"ti": Task()})
    [(title, text)] = notices(hook)
    assert title == "train_pinsage: walk failed"
    assert "Reason: its process ended without a word" in text


def test_a_failure_is_told_once_unless_nobody_took_it(hook):
    """By the task, and then by the run."""
    task = Task()
    hook.status = 503
    with pytest.raises(NoticeError):
        tell_failure({"ti": task})
    hook.status = 200
    for _ in range(3):
        tell_lost_failure({"ti": task})
    assert len(notices(hook)) == 2


def test_a_run_of_the_dag_that_fails_is_told_once(hook, dag, airflow_database, tmp_path):
    """By Airflow itself; the tasks after it, which never began, say nothing."""
    run = dag.test(run_conf={"data.dataset": str(tmp_path)})
    [(title, text)] = notices(hook)
    assert title == "train_pinsage: ingest failed"
    assert run.run_id in text
    assert f"{tmp_path}" in text
    assert "/tasks/ingest" in text


def test_every_dag_tells_of_tasks_that_were_killed(dag_bag):
    """Whatever else it does when a run has failed."""
    for dag in dag_bag.dags.values():
        callbacks = dag.on_failure_callback
        assert tell_lost_failure in (callbacks if isinstance(callbacks, list) else [callbacks])


def test_every_task_of_every_dag_tells_but_the_variants_of_a_comparison(dag_bag):
    """Those are many, and the summary names the ones that failed."""
    silent = {
        (dag.dag_id, task.task_id)
        for dag in dag_bag.dags.values()
        for task in dag.tasks
        if tell_failure not in (getattr(task, "on_failure_callback", None) or ())
    }
    assert silent == {("compare_pinsage", "variant")}


def test_a_late_run_is_told_by_the_callback_that_the_dag_names(hook, dag):
    """Called as Airflow's executor calls it, by its path; it has a link that a run id with a colon does not break."""
    [alert] = dag.deadline
    run = {"dag_id": "train_pinsage", "dag_run_id": "scheduled__2026-05-01T00:00:00+00:00", "state": "running"}
    context = {
        "dag_run": {**run, "queued_at": "2026-05-01T00:00:03.5Z"},
        "deadline": {"id": "1", "deadline_time": "2026-05-02 00:00:03.5+00:00"},
    }
    log = structlog.get_logger()
    assert execute_callback(alert.callback.path, {"context": context}, "train_pinsage.py", None, log) == (True, None)
    [(title, text)] = notices(hook)
    assert title == "train_pinsage: a run is late"
    assert "State: running, queued at 2026-05-01 00:00 UTC" in text
    assert "ended by 2026-05-02 00:00 UTC (PINSAGE_LATE_HOURS)" in text
    assert "/dags/train_pinsage/runs/scheduled__2026-05-01T00%3A00%3A00%2B00%3A00" in text


def test_of_a_run_that_failed_people_know_already(hook):
    """Its deadline passes all the same."""
    tell_lateness({"dag_run": {"state": "failed"}, "deadline": {}})
    assert not hook.bodies


def test_a_run_is_late_when_the_next_one_begins_or_after_the_hours_of_the_deployment(monkeypatch):
    """Parts of an hour, too."""
    monkeypatch.delenv(LATE_HOURS, raising=False)
    assert late_after(24).interval == timedelta(days=1)
    monkeypatch.setenv(LATE_HOURS, "7.5")
    assert late_after(24).interval == timedelta(hours=7.5)


@pytest.mark.parametrize("hours", ["soon", "-1", "0", "nan", "1e99"])
def test_hours_that_are_none_are_refused(monkeypatch, hours):
    """Before they make an alert that never comes or always."""
    monkeypatch.setenv(LATE_HOURS, hours)
    with pytest.raises(SettingsError, match=f"{LATE_HOURS} is '{hours}', not a number of hours"):
        late_after(24)


def test_without_an_address_nobody_is_told(hook, monkeypatch):
    """The default."""
    monkeypatch.setenv(NOTIFY, " ")
    send("title", "text")
    assert not hook.bodies


def test_a_service_that_refuses_keeps_no_other_from_being_told(hook, monkeypatch):
    """It is counted, not named: an address may hold a password."""
    with web_hook() as refusing:
        refusing.status = 403
        monkeypatch.setenv(NOTIFY, f"json://{refusing.place}/secret json://{hook.place}/")
        with pytest.raises(NoticeError, match="notice 'title': address 1 did not take it") as error:
            send("title", "text")
    assert notices(hook) == [("title", "text")]
    assert "secret" not in str(error.value)


def test_an_address_that_is_none_is_counted_and_logged_nowhere(hook, monkeypatch, caplog, capfd):
    """A typo in the name of the service; the others are told."""
    monkeypatch.setenv(NOTIFY, f"slakc://secret json://{hook.place}/")
    with pytest.raises(NoticeError, match="notice 'title': Apprise knows no service of address 1") as error:
        send("title", "text")
    assert notices(hook) == [("title", "text")]
    assert "secret" not in str(error.value) + caplog.text + "".join(capfd.readouterr())
