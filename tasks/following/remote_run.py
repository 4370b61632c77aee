"""One run on an Airflow elsewhere: triggered, followed, concluded from what its stages reported."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from pinsage.errors import PinSageError
from pinsage.settings.loading import Flat
from tasks.following.airflow_api import AirflowApi
from tasks.following.explain import explain
from tasks.following.live import Follower, Row


class RunFailedError(PinSageError):
    """A run of the DAG ended without success."""


@dataclass(frozen=True)
class RemoteRun:
    """A run to be started with these settings; all others are the deployment's."""

    api: AirflowApi
    settings: Flat
    console: Console

    def perform(self) -> None:
        """Start the run and show it until it ends.

        Raises:
            LoginRefusedError: Airflow does not let the user in, or not start a run.
            TriggerRefusedError: Airflow refused a setting.
            RunFailedError: the run failed; the reason has been printed.
        """
        run_id = f"manual__{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}"
        self.api.log_in()
        self.api.unpause()
        self.api.trigger(run_id, self.settings)
        self._say(f"run {run_id}: {self.api.run_page(run_id)}")
        state, rows = Follower(self.api, run_id, self.console).follow()
        if state.state != "success":
            explain(self.api, run_id, rows, self.console)
            raise RunFailedError(f"The run {run_id} failed. Once its cause is gone, clear the failed task in Airflow.")
        self._conclude(rows)
        self._say(f"Seconds  {state.seconds:.0f} in all")

    def _conclude(self, rows: dict[str, Row]) -> None:
        facts = _facts(rows["approve"])
        self._say(
            f"Model    {facts.get('model_name')}, version {facts.get('model_version')}. {facts.get('reason', '')}"
        )
        if url := _facts(rows["promote"]).get("mlflow_url"):
            self._say(f"MLflow   {url}")

    def _say(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)


def _facts(row: Row) -> dict[str, Any]:
    return dict(row.result.facts) if row.result else {}
