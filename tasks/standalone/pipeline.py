"""`make run` from end to end: servers up, one run of the DAG, and what came of it."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import requests
from rich.console import Console

from pinsage.errors import PinSageError
from pinsage.settings.loading import flat
from pinsage.settings.schema import Settings
from pinsage.store.deployment import open_store
from pinsage.store.run import Run
from pinsage.tracking.server import VIEW
from tasks.command_line.summary import print_summary
from tasks.following.airflow_api import DAG_ID, AirflowApi
from tasks.following.explain import explain
from tasks.following.live import Follower, Row
from tasks.running.launch import record_failure
from tasks.standalone.deployment import Deployment
from tasks.standalone.services import (
    Service,
    airflow_services,
    migrate_airflow,
    mlflow_service,
    start_warm_up,
    stop,
    watch,
)

START_S = 300.0


class NotUpError(PinSageError):
    """A server did not become healthy in time."""


class Pipeline:
    """The pipeline on this machine: its servers, and runs of its DAG."""

    def __init__(self, deployment: Deployment, console: Console) -> None:
        self.deployment = deployment
        self.console = console
        self.api = AirflowApi(deployment.airflow_url, DAG_ID, deployment.login.user)
        self.airflow = airflow_services(deployment)
        self.mlflow = mlflow_service(deployment)

    @property
    def services(self) -> list[Service]:
        """Every server of ours, in the order of stopping."""
        return [*reversed(self.airflow), self.mlflow]

    def start(self) -> None:
        """Have both servers up and healthy, the DAG read and its pool there.

        Raises:
            ServiceError: a port is taken, or a server ended by itself.
            NotUpError: a server takes too long.
        """
        for service in self.services:
            service.check_port()
        warming_up = start_warm_up(self.deployment)
        self.deployment.write_mlflow_users()
        self.mlflow.start()
        begun = datetime.min.replace(tzinfo=UTC)
        if not all(service.process() for service in self.airflow):
            self._say("starting Airflow and MLflow (the first time takes about a minute)")
            migrate_airflow(self.deployment)
            begun = datetime.now(UTC)
        for service in self.airflow:
            service.start()
        with watch(self.services):
            self._wait("Airflow", self.api.is_healthy)
            self._wait("MLflow", self._mlflow_is_healthy)
            self.api.ensure_pool("gpu", 1, "One training at a time")
            self._wait(f"the DAG {DAG_ID}", lambda: self.api.has_dag(since=begun))
            self._wait("the compiler", lambda: warming_up.poll() is not None)
        self._say_who_logs_in()

    def stop(self) -> list[str]:
        """End the runs that are going, then exactly what `start` started; the names of the servers that were ended."""
        is_up = any(service.process() for service in self.airflow) and self.api.is_healthy()
        runs = self._end_runs() if is_up else []
        names = stop(self.services)
        for run_id in runs:  # when none of its stages is left to say otherwise
            record_failure(run_id, self.deployment.home, "ended by make stop")
        return names

    def run(self, settings: Settings) -> bool:
        """Trigger a run with these settings and follow it to its end; whether it succeeded."""
        run_id = f"manual__{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}"
        self.api.trigger(run_id, flat(settings))
        self._say(f"run {run_id}: {self.api.run_page(run_id)}")
        with watch(self.services):
            state, rows = Follower(self.api, run_id, self.console).follow()
        if state.state != "success":
            explain(self.api, run_id, rows, self.console)
            return False
        self._conclude(run_id, state.seconds, rows)
        return True

    def _end_runs(self) -> list[str]:
        """End the runs that are going; their ids.

        Left as they are, they would go on when the servers are next started, and a new run would wait for them.
        """
        try:
            runs = self.api.end_runs()
        except PinSageError as error:  # the servers are ended all the same
            self._say(f"The runs that are going were not ended: {error}")
            return []
        for run_id in runs:
            self._say(f"ended the run {run_id}; the next run over the same input takes over what it has made")
        return runs

    def _conclude(self, run_id: str, seconds: float, rows: dict[str, Row]) -> None:
        store = open_store(self.deployment.home).runs
        page = self._mlflow_page(store.open(run_id))
        print_summary(self.deployment.home, run_id, self.console, mlflow_page=page)
        stages = ", ".join(f"{name} {row.task.seconds:.0f}" for name, row in rows.items())
        self._say(f"Seconds  {seconds:.0f} in all; {stages}")

    def _say_who_logs_in(self) -> None:
        """The password once, when it is made: a terminal's history is no place for it."""
        deployment, login = self.deployment, self.deployment.login
        if not deployment.asks_for_login:
            return
        password = f"password {login.user.password}, kept" if login.is_new else "password"
        self._say(
            f"Airflow {deployment.airflow_url} and MLflow {deployment.mlflow_url}: "
            f"user {login.user.name}, {password} in {login.file}"
        )

    def _mlflow_is_healthy(self) -> bool:
        try:
            return requests.get(f"{self.deployment.mlflow_url}/health", timeout=5).ok
        except requests.RequestException:
            return False

    def _mlflow_page(self, run: Run) -> str:
        api = f"{self.deployment.mlflow_url}/api/2.0/mlflow/runs/get"
        mlflow_run_id = run.result("promote").facts["mlflow_run_id"]
        user = self.deployment.login.user
        query = {"run_id": str(mlflow_run_id)}
        answer = requests.get(api, params=query, auth=(user.name, user.password), timeout=20)
        experiment = answer.json()["run"]["info"]["experiment_id"] if answer.ok else ""
        return f"{self.deployment.mlflow_url}/#/experiments/{experiment}/runs/{mlflow_run_id}?{VIEW}"

    def _wait(self, what: str, is_ready: Callable[[], bool]) -> None:
        started = told = time.monotonic()
        while not is_ready():
            now = time.monotonic()
            if now - started > START_S or not all(service.process() for service in self.services):
                raise NotUpError(f"{what} is not up after {now - started:.0f} s. Its log is in {self.deployment.logs}.")
            if now - told > 10:
                told = now
                self._say(f"waiting for {what}, {now - started:.0f} s")
            time.sleep(1)

    def _say(self, text: str, style: str = "") -> None:
        self.console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
