"""The MLflow server (or the local database that stands for it): address, client, experiment, errors.

MLflow is imported at the first use, which takes three seconds, and only its client is used, never its global state.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pinsage.errors import DiskFullError, TrackingError
from pinsage.settings.schema import TrackingSettings
from pinsage.store.deployment import open_store
from pinsage.tracking.database import create_database

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowRun


# MLflow opens an experiment without the first tag in its view for language models; the second is the metric its charts
# of several runs begin with.
_EXPERIMENT_TAGS = {
    "mlflow.experimentKind": "custom_model_development",
    "mlflow.experiment.primaryMetric.name": "hit_rate_at_10/test/pinsage",
    "mlflow.experiment.primaryMetric.greaterIsBetter": "True",
}
VIEW = "workflowType=machine_learning"  # of a page's address: since 3.17 the browser's last choice outweighs the tag


class Server:
    """The MLflow server as one pipeline sees it.

    Attributes:
        uri: the setting, else MLFLOW_TRACKING_URI, else a SQLite file below `home`. MLflow's own default, a database
            in the current folder, is never used.
        home: the pipeline's data folder; `home/mlflow` holds the database and the artifacts where there is no server.
    """

    def __init__(self, settings: TrackingSettings, home: Path) -> None:
        self.settings = settings
        self.folder = (home / "mlflow").resolve()
        self._store = open_store(home)
        self._database = self.folder / "mlflow.db"
        self.uri = settings.uri or os.environ.get("MLFLOW_TRACKING_URI", "") or f"sqlite:///{self._database}"
        self._is_alone = False

    @property
    def pages(self) -> str:
        """The address of its pages: PINSAGE_MLFLOW_PAGES where people see the server elsewhere than the stages do."""
        return (os.environ.get("PINSAGE_MLFLOW_PAGES") or self.uri).rstrip("/")

    @property
    def is_remote(self) -> bool:
        """True if a server answers over HTTP, as against a database opened by this process."""
        return self.uri.startswith(("http://", "https://"))

    @cached_property
    def client(self) -> "MlflowClient":
        """The client of MLflow, for runs and for the model registry."""
        _prepare_environment()
        from mlflow import MlflowClient

        self.folder.mkdir(parents=True, exist_ok=True)
        if self.uri == f"sqlite:///{self._database}":
            create_database(self._database)
        return MlflowClient(self.uri, self.uri)

    @cached_property
    def experiment_id(self) -> str:
        """The id of the experiment of the settings, created if need be.

        Raises:
            TrackingError: the experiment is deleted, or its files are out of reach.
        """
        from mlflow.exceptions import MlflowException

        name = self.settings.experiment
        found = self.client.get_experiment_by_name(name)
        if not found:
            try:
                root = self._artifact_root()
                return str(self.client.create_experiment(name, artifact_location=root, tags=_EXPERIMENT_TAGS))
            except MlflowException:  # a process on another machine was faster
                found = self.client.get_experiment_by_name(name)
                if not found:
                    raise
        self._check(found.lifecycle_stage, found.artifact_location)
        for tag in _EXPERIMENT_TAGS.keys() - found.tags.keys():  # made by hand, or by an older version
            self.client.set_experiment_tag(found.experiment_id, tag, _EXPERIMENT_TAGS[tag])
        return str(found.experiment_id)

    @contextmanager
    def one_at_a_time(self) -> Iterator[None]:
        """Let one process of the deployment at a time find or create: MLflow has no call that does both.

        A block inside such a block belongs to it.
        """
        if self._is_alone:
            yield
            return
        with self._store.one_at_a_time("mlflow"):
            self._is_alone = True
            try:
                yield
            finally:
                self._is_alone = False

    def find_run(self, tag: str, value: str, *, other_than: str = "") -> "MlflowRun | None":
        """The first run of the experiment with a tag, but for the run `other_than`; None if there is none."""
        quoted = value.replace("'", "\\'")
        found = self.client.search_runs(
            [self.experiment_id], f"tags.`{tag}` = '{quoted}'", order_by=["attributes.start_time ASC"]
        )
        return next((each for each in found if each.info.run_id != other_than), None)

    def create_run_once(
        self, tag: str, value: str, name: str, more_tags: Mapping[str, str] | None = None
    ) -> "MlflowRun":
        """Create a run with a tag, after `find_run` found none; return it, or the one of a host that was faster."""
        created = self.client.create_run(self.experiment_id, run_name=name, tags={tag: value, **(more_tags or {})})
        # A process that slept between looking and creating has lost its lease on another host, which created one since.
        if earlier := self.find_run(tag, value, other_than=created.info.run_id):
            self.client.delete_run(created.info.run_id)
            return earlier
        return created

    @contextmanager
    def clear_errors(self) -> Iterator[None]:
        """Turn MLflow's errors into one sentence that names the server.

        Raises:
            DiskFullError: the disk of its database is full.
            TrackingError: instead of any other exception of MLflow, or of the database below it.
        """
        _prepare_environment()
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (MlflowException, SQLAlchemyError) as error:
            fact = (str(error).splitlines() or ["no reason given"])[0][:500]
            if "disk is full" in fact:  # SQLite's words: it gives no number
                raise DiskFullError(f"The disk of {self.uri} is full ({fact}). Free space and run again.") from error
            raise TrackingError(f"MLflow at {self.uri} refused or did not answer ({fact}). Is it running?") from error

    def _artifact_root(self) -> str | None:
        """The folder of artifacts for a bare database, which would take the current one; None lets a server choose."""
        return None if self.is_remote else (self.folder / "artifacts").as_uri()

    def _check(self, lifecycle: str, artifact_root: str) -> None:
        name = self.settings.experiment
        if lifecycle != "active":
            raise TrackingError(f"The MLflow experiment '{name}' is deleted. Restore it, or set tracking.experiment.")
        if artifact_root.startswith("mlflow-artifacts:") and not self.is_remote:
            raise TrackingError(
                f"The MLflow experiment '{name}' keeps its files behind a server, but {self.uri} is a database. "
                "Set MLFLOW_TRACKING_URI to the server's address, or tracking.experiment to another name."
            )


def _prepare_environment() -> None:
    """Set what MLflow reads: no pickle, no calls home, no progress bars, no minutes of retries, no tracebacks."""
    # Its store logs the traceback of an error that it raises, too; ours is one sentence.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
