"""Airflow's REST API. On SQLite a call may fail for a moment: every call is tried again."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import requests

from pinsage.errors import InputError, PinSageError

DAG_ID = "train_pinsage"
TIMEOUT_S = 20.0
PATIENCE_S = 60.0
UNAUTHORIZED, FORBIDDEN, CONFLICT = 401, 403, 409
STAGE_LOGGER = "stage_task"  # the module of the operator that passes on what a stage says


class AirflowApiError(PinSageError):
    """Airflow did not answer, or not as expected."""


class LoginRefusedError(InputError):
    """Airflow did not let a user in, or does not allow what the user asks for."""


class TriggerRefusedError(InputError):
    """Airflow refused the settings of a run."""


@dataclass(frozen=True)
class TaskState:
    """One task of a run: its state in Airflow's words ('' before it is queued), which attempt, and how long it took."""

    name: str
    state: str
    attempt: int
    seconds: float


@dataclass(frozen=True)
class RunState:
    """A DAG run: its state and how long it has been going."""

    state: str
    seconds: float

    @property
    def has_ended(self) -> bool:
        """True if nothing more will happen."""
        return self.state in ("success", "failed")


ENDS = ("Task failed", "Top level error")  # of a task; a listener or a notice may fail after it


@dataclass(frozen=True)
class StageLog:
    """The lines of a stage, without Airflow's own, and the error its task ended with ('' if none)."""

    lines: list[str]
    reason: str

    @classmethod
    def of(cls, events: list[dict[str, Any]]) -> "StageLog":
        """The stage's part of the events of a task's log."""
        lines = [event["event"] for event in events if STAGE_LOGGER in (event.get("logger") or "")]
        ends = [event for event in events if event["event"].startswith(ENDS)]
        errors = [error["exc_value"] for event in ends for error in event.get("error_detail") or []]
        return cls(lines, str(errors[-1]) if errors else "")


@dataclass(frozen=True)
class User:
    """A user of Airflow, who logs in with a password."""

    name: str
    password: str = field(repr=False)


class AirflowApi:
    """One Airflow at an address, on behalf of a user or, where nobody logs in, of none.

    `pages` is the address of its pages, where people see it elsewhere than this process does.
    """

    def __init__(self, url: str, dag_id: str, user: User | None = None, *, pages: str = "") -> None:
        self.url = url
        self.pages = pages or url
        self.dag_id = dag_id
        self._user = user
        self._session = requests.Session()

    def log_in(self) -> None:
        """Get a token for the user; done again by itself when it has expired.

        Raises:
            LoginRefusedError: Airflow does not know the user with this password.
            AirflowApiError: it gives no token for another reason.
        """
        if not self._user:
            return
        body = {"username": self._user.name, "password": self._user.password}
        answer = self._patiently("POST", "/auth/token", body)
        if answer.status_code in (400, 401, 403):
            raise LoginRefusedError(
                f"Airflow at {self.url} does not let the user '{self._user.name}' in. Check name and password."
            )
        if not answer.ok:
            raise AirflowApiError(f"Airflow at {self.url} gives no token ({answer.status_code}): {_detail(answer)}")
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def run_page(self, run_id: str) -> str:
        """The page of a run."""
        return f"{self.pages}/dags/{self.dag_id}/runs/{run_id}"

    def is_healthy(self) -> bool:
        """Return whether the server answers and its scheduler and DAG processor report in."""
        try:
            body = self._session.get(f"{self.url}/api/v2/monitor/health", timeout=TIMEOUT_S).json()
            return all(body[part]["status"] == "healthy" for part in ("metadatabase", "scheduler", "dag_processor"))
        except (requests.RequestException, ValueError, KeyError, TypeError):
            return False

    def has_dag(self, since: datetime) -> bool:
        """Return whether the DAG has been read.

        Args:
            since: errors from before stand until the file is read again, and say nothing of it as it is now.

        Raises:
            AirflowApiError: its file cannot be imported; the error is in the message.
        """
        for error in self._get("/importErrors").get("import_errors", []):
            if datetime.fromisoformat(error["timestamp"]) < since:
                return False
            raise AirflowApiError(f"{error['filename']} cannot be imported: {error['stack_trace']}")
        return self._request("GET", f"/dags/{self.dag_id}").ok

    def ensure_pool(self, name: str, slots: int, description: str) -> None:
        """Create a pool unless there is one; tasks of a missing pool would wait for ever without a word."""
        body = {"name": name, "slots": slots, "description": description}
        answer = self._request("POST", "/pools", body)
        if not answer.ok and answer.status_code != CONFLICT:
            raise AirflowApiError(f"Airflow did not create the pool '{name}': {_detail(answer)}")

    def unpause(self) -> None:
        """Let the DAG's runs begin: of a paused DAG they would wait for ever."""
        answer = self._request("PATCH", f"/dags/{self.dag_id}?update_mask=is_paused", {"is_paused": False})
        if not answer.ok:
            raise self._refusal(answer, f"unpause {self.dag_id}")

    def trigger(self, run_id: str, conf: dict[str, Any]) -> None:
        """Start a run called `run_id` with flat settings.

        Raises:
            TriggerRefusedError: a setting is out of bounds.
            AirflowApiError: Airflow did not start it for another reason.
        """
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
        answer = self._request("POST", f"/dags/{self.dag_id}/dagRuns", body)
        if answer.ok or answer.status_code == CONFLICT:  # an earlier try got through although it seemed to fail
            return
        if answer.status_code in (400, 422):
            raise TriggerRefusedError(f"Airflow refused the settings: {_detail(answer)}")
        raise self._refusal(answer, "start the run")

    def run(self, run_id: str) -> RunState:
        """The state of a run."""
        body = self._get(f"/dags/{self.dag_id}/dagRuns/{run_id}")
        return RunState(body["state"], _seconds(body))

    def other_active_runs(self, run_id: str) -> list[str]:
        """Other runs that are going, behind which `run_id` may have to wait."""
        runs = self._get(f"/dags/{self.dag_id}/dagRuns?state=running&limit=20")["dag_runs"]
        return [run["dag_run_id"] for run in runs if run["dag_run_id"] != run_id]

    def end_runs(self) -> list[str]:
        """End every run, of whichever DAG, that is going or waits, as a failed one; their ids."""
        runs = self._get("/dags/~/dagRuns?state=running&state=queued&limit=100")["dag_runs"]
        for run in runs:
            path = f"/dags/{run['dag_id']}/dagRuns/{quote(run['dag_run_id'], safe='')}"
            answer = self._request("PATCH", path, {"state": "failed"})
            if not answer.ok:
                raise self._refusal(answer, f"end the run {run['dag_run_id']}")
        return [run["dag_run_id"] for run in runs]

    def tasks(self, run_id: str) -> dict[str, TaskState]:
        """Every task of a run, by name."""
        rows = self._get(f"/dags/{self.dag_id}/dagRuns/{run_id}/taskInstances?limit=100")["task_instances"]
        return {
            row["task_id"]: TaskState(row["task_id"], row["state"] or "", row["try_number"], _seconds(row))
            for row in rows
        }

    def report(self, run_id: str, stage: str) -> dict[str, Any]:
        """Return the report of a stage that has succeeded (stage, key, seconds, reused, facts); empty before that."""
        path = f"/dags/{self.dag_id}/dagRuns/{run_id}/taskInstances/{stage}/xcomEntries/return_value?deserialize=true"
        answer = self._request("GET", path)
        body = answer.json().get("value") if answer.ok else None
        return body if isinstance(body, dict) else {}

    def stage_log(self, run_id: str, task: TaskState) -> StageLog:
        """The lines of a stage in the latest attempt at its task."""
        path = f"/dags/{self.dag_id}/dagRuns/{run_id}/taskInstances/{task.name}/logs/{max(task.attempt, 1)}"
        events = self._get(f"{path}?full_content=true").get("content", [])
        return StageLog.of([event for event in events if isinstance(event, dict)])

    def _refusal(self, answer: requests.Response, wish: str) -> PinSageError:
        if answer.status_code == FORBIDDEN and self._user:
            return LoginRefusedError(f"The user '{self._user.name}' may not {wish}. That takes the role Op in Airflow.")
        if answer.status_code == UNAUTHORIZED:
            return LoginRefusedError(f"Airflow at {self.url} wants a login. Give --user and PINSAGE_AIRFLOW_PASSWORD.")
        return AirflowApiError(f"Airflow did not {wish} ({answer.status_code}): {_detail(answer)}")

    def _get(self, path: str) -> dict[str, Any]:
        answer = self._request("GET", path)
        if not answer.ok:
            raise AirflowApiError(f"Airflow answered {answer.status_code} to {path}: {_detail(answer)}")
        body: dict[str, Any] = answer.json()
        return body

    def _request(self, method: str, path: str, body: dict[str, Any] | None = None) -> requests.Response:
        answer = self._patiently(method, f"/api/v2{path}", body)
        if answer.status_code == UNAUTHORIZED and self._user:  # the first request, or the token has expired
            self.log_in()
            answer = self._patiently(method, f"/api/v2{path}", body)
        return answer

    def _patiently(self, method: str, path: str, body: dict[str, Any] | None) -> requests.Response:
        deadline, fact = time.monotonic() + PATIENCE_S, ""
        while time.monotonic() < deadline:
            try:
                answer = self._session.request(method, f"{self.url}{path}", json=body, timeout=TIMEOUT_S)
            except requests.RequestException as error:
                fact = str(error)
            else:
                if answer.status_code < 500:
                    return answer
                fact = f"{answer.status_code} {_detail(answer)}"
            time.sleep(1)
        raise AirflowApiError(f"Airflow at {self.url} did not answer for {PATIENCE_S:.0f} s ({fact}). Is it running?")


def _seconds(row: dict[str, Any]) -> float:
    if not row.get("start_date"):
        return 0.0
    start = datetime.fromisoformat(row["start_date"])
    end = datetime.fromisoformat(row["end_date"]) if row.get("end_date") else datetime.now(UTC)
    return max((end - start).total_seconds(), 0.0)


def _detail(answer: requests.Response) -> str:
    try:
        body = answer.json()
    except ValueError:
        return answer.text[:500]
    return str(body.get("detail", body))[:2000]
