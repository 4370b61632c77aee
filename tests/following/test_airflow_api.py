"""The few calls to Airflow, against a small server that answers as Airflow does."""

import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tasks.following import airflow_api
from tasks.following.airflow_api import (
    AirflowApi,
    AirflowApiError,
    LoginRefusedError,
    StageLog,
    TaskState,
    TriggerRefusedError,
    User,
)

tokens: list[str | None] = []  # of each request


@pytest.fixture
def server(monkeypatch):
    """An API, the list of answers it will get (status, body), and the requests it made."""
    answers: list[tuple[int, dict]] = []
    asked: list[tuple[str, str, dict | None]] = []
    tokens.clear()

    class Handler(BaseHTTPRequestHandler):
        def answer(self):
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            asked.append((self.command, self.path, body))
            tokens.append(self.headers.get("authorization"))
            status, reply = answers.pop(0)
            payload = json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_POST = do_PATCH = answer

        def log_message(self, *words):
            pass

    monkeypatch.setattr(airflow_api.time, "sleep", lambda seconds: None)
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield AirflowApi(f"http://127.0.0.1:{http.server_port}", "d"), answers, asked
    http.shutdown()
    http.server_close()


def test_a_trigger_names_its_run_so_that_a_second_try_finds_it(server):
    """SQLite was busy, the first try went through all the same: the conflict of the second is a success."""
    api, answers, asked = server
    answers += [(500, {"detail": "database is locked"}), (409, {"detail": "exists"})]
    api.trigger("r1", {"walk.num_walks": 5})
    assert asked[0] == asked[1]
    body = {"dag_run_id": "r1", "logical_date": None, "conf": {"walk.num_walks": 5}}
    assert asked[0] == ("POST", "/api/v2/dags/d/dagRuns", body)


def test_settings_that_airflow_refuses_are_an_error_that_no_retry_changes(server):
    """Its message is passed on."""
    api, answers, _ = server
    answers.append((400, {"detail": "Invalid input for param walk.num_walks: 0 is less than the minimum of 1"}))
    with pytest.raises(TriggerRefusedError, match=r"walk\.num_walks: 0 is less"):
        api.trigger("r1", {"walk.num_walks": 0})


def test_a_pool_that_is_there_is_left_alone(server):
    """The conflict means it exists, perhaps with more slots than we would give it."""
    api, answers, _ = server
    answers += [(201, {}), (409, {})]
    api.ensure_pool("gpu", 1, "")
    api.ensure_pool("gpu", 1, "")


def test_health_needs_scheduler_and_dag_processor(server):
    """A server that answers is not enough; a triggerer is not needed."""
    api, answers, _ = server
    good = {"status": "healthy"}
    body = {"metadatabase": good, "scheduler": good, "dag_processor": good, "triggerer": {"status": None}}
    answers += [(200, body), (200, {**body, "scheduler": {"status": "unhealthy"}}), (503, {"detail": "starting"})]
    assert [api.is_healthy() for _ in range(3)] == [True, False, False]


def test_no_server_at_all_is_unhealthy_and_an_error_with_advice(monkeypatch):
    """After the patience has run out."""
    monkeypatch.setattr(airflow_api, "PATIENCE_S", 0.05)
    api = AirflowApi("http://127.0.0.1:9", "d")
    assert not api.is_healthy()
    with pytest.raises(AirflowApiError, match="did not answer"):
        api.run("r1")


def test_a_dag_that_cannot_be_imported_is_said_so(server):
    """With the reason, instead of waiting for it. An error from before may have been mended: it is waited for."""
    api, answers, _ = server
    noon = datetime(2026, 5, 1, 12, tzinfo=UTC)
    error = {"filename": "d.py", "stack_trace": "SettingsError: walk.num_walks = 0"}
    answers += [
        (200, {"import_errors": [{**error, "timestamp": "2026-05-01T11:59:59Z"}]}),
        (200, {"import_errors": []}), (404, {}),
        (200, {"import_errors": []}), (200, {}),
        (200, {"import_errors": [{**error, "timestamp": "2026-05-01T12:00:01Z"}]}),
    ]  # fmt: skip
    assert [api.has_dag(noon), api.has_dag(noon), api.has_dag(noon)] == [False, False, True]
    with pytest.raises(AirflowApiError, match=r"d\.py cannot be imported: SettingsError"):
        api.has_dag(noon)


def test_tasks_have_states_attempts_and_seconds(server):
    """A task that has not been queued has none of them."""
    api, answers, _ = server
    rows = [
        {"task_id": "a", "state": "success", "try_number": 2, "start_date": "2026-01-01T00:00:00Z",
         "end_date": "2026-01-01T00:00:02.500000Z"},
        {"task_id": "b", "state": None, "try_number": 0, "start_date": None, "end_date": None},
    ]  # fmt: skip
    answers.append((200, {"task_instances": rows}))
    assert api.tasks("r1") == {"a": TaskState("a", "success", 2, 2.5), "b": TaskState("b", "", 0, 0.0)}


def test_the_log_of_a_stage_is_told_from_airflows_own_words():
    """And the reason of a failure is the exception's text, without its traceback."""
    events = [
        {"event": "::group::Pre Execute", "logger": "task"},
        {"event": "walk: 8 partitions", "logger": "airflow.task.operators.stage_task.StageTask"},
        {"event": "Task failed", "logger": "task", "error_detail": [{"exc_type": "X", "exc_value": "No room."}]},
        {"event": "Failed to run task callback", "logger": "task", "error_detail": [{"exc_value": "No mail."}]},
    ]
    assert StageLog.of(events) == StageLog(["walk: 8 partitions"], "No room.")
    assert StageLog.of([]) == StageLog([], "")


def as_user(api):
    """The same Airflow, for somebody who logs in."""
    return AirflowApi(api.url, "d", User("operator", "secret"))


def test_a_user_logs_in_and_again_when_the_token_has_expired(server):
    """A run may be followed for longer than a token lives."""
    api, answers, asked = server
    states = {"dag_runs": []}
    answers += [(201, {"access_token": "one"}), (200, states), (401, {}), (201, {"access_token": "two"}), (200, states)]
    api = as_user(api)
    api.log_in()
    assert api.other_active_runs("r1") == api.other_active_runs("r1") == []
    assert tokens == [None, "Bearer one", "Bearer one", "Bearer one", "Bearer two"]
    assert asked[0] == ("POST", "/auth/token", {"username": "operator", "password": "secret"})


def test_runs_of_every_dag_are_ended_by_their_ids(server):
    """Those of a schedule have colons and a plus in theirs."""
    api, answers, asked = server
    scheduled = "scheduled__2026-01-01T00:00:00+00:00"
    runs = [{"dag_id": "d", "dag_run_id": scheduled}, {"dag_id": "e", "dag_run_id": "manual__1"}]
    answers += [(200, {"dag_runs": runs}), (200, {}), (200, {})]
    assert api.end_runs() == [scheduled, "manual__1"]
    assert asked[1:] == [
        ("PATCH", "/api/v2/dags/d/dagRuns/scheduled__2026-01-01T00%3A00%3A00%2B00%3A00", {"state": "failed"}),
        ("PATCH", "/api/v2/dags/e/dagRuns/manual__1", {"state": "failed"}),
    ]


def test_a_run_that_may_not_be_ended_is_named(server):
    """It would go on when the servers are started again."""
    api, answers, _ = server
    answers += [(200, {"dag_runs": [{"dag_id": "d", "dag_run_id": "r1"}]}), (404, {"detail": "gone"})]
    with pytest.raises(AirflowApiError, match="did not end the run r1"):
        api.end_runs()


def test_a_wrong_password_is_a_sentence_without_the_password(server):
    """No retry can help."""
    api, answers, _ = server
    answers.append((401, {"detail": "Invalid credentials"}))
    with pytest.raises(LoginRefusedError, match="does not let the user 'operator' in") as caught:
        as_user(api).log_in()
    assert "secret" not in str(caught.value) + repr(caught.value)


def test_a_viewer_is_told_which_role_starts_runs(server):
    """Airflow only says Forbidden."""
    api, answers, _ = server
    answers.append((403, {"detail": "Forbidden"}))
    with pytest.raises(LoginRefusedError, match="may not start the run"):
        as_user(api).trigger("r1", {})


def test_who_names_no_user_is_asked_for_one(server):
    """Airflow only says that somebody is not authenticated."""
    api, answers, _ = server
    answers.append((401, {"detail": "Not authenticated"}))
    with pytest.raises(LoginRefusedError, match=r"wants a login\. Give --user"):
        api.unpause()


def test_the_report_of_a_stage_is_what_its_task_returned(server):
    """Before it has succeeded there is none."""
    api, answers, asked = server
    answers += [(200, {"value": {"stage": "pair", "key": "k"}}), (404, {})]
    assert api.report("r1", "pair") == {"stage": "pair", "key": "k"}
    assert api.report("r1", "train") == {}
    assert asked[0][1] == "/api/v2/dags/d/dagRuns/r1/taskInstances/pair/xcomEntries/return_value?deserialize=true"


def test_links_lead_to_where_people_see_airflow():
    """A process beside the server may know it by a name that no browser finds."""
    assert AirflowApi("http://api-server:8080", "d").run_page("r") == "http://api-server:8080/dags/d/runs/r"
    api = AirflowApi("http://api-server:8080", "d", pages="https://airflow.example")
    assert api.run_page("r") == "https://airflow.example/dags/d/runs/r"
