"""One MLflow run per pipeline run, found again by its tag, whichever process asks."""

import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pinsage.errors import PinSageError
from pinsage.settings.loading import flat
from pinsage.settings.schema import Settings
from pinsage.store.deployment import open_store
from pinsage.store.run import Run
from pinsage.tracking.names import run_name
from pinsage.tracking.points import Points, metric_name
from pinsage.tracking.server import VIEW, Server

if TYPE_CHECKING:
    from mlflow.entities import Run as MlflowRun

log = logging.getLogger(__name__)

RUN_TAG = "pinsage.run_id"
PARENT_TAG = "mlflow.parentRunId"
FAILURE_TAG = "pinsage.failure"
FINISHED_TAG = "pinsage.finished"  # set before the status, which a process that was away for a while may set back
NOTE_TAG = "mlflow.note.content"  # the description on a run's page, in Markdown
_DIFFER_ANYHOW = {"train.seed", "walk.seed", "evaluate.methods"}  # between any two runs of a comparison
FLUSH_S = 2.0
REST_S = 30.0  # after a failed flush, so that a lost server does not slow the training down
MAX_PARAMS_PER_BATCH = 100
MAX_VALUE_LENGTH = 5000


def open_tracker(settings: Settings, home: Path, run_id: str) -> "Tracker":
    """The tracker of the pipeline run `run_id`; nothing is imported or contacted yet."""
    return Tracker(Server(settings.tracking, home), home, run_id)


class Tracker:
    """The MLflow run of one pipeline run."""

    def __init__(self, server: Server, home: Path, run_id: str) -> None:
        self.server = server
        self.home = home
        self.run_id = run_id
        self._mlflow_run_id = ""
        self._points = Points()
        self._next_flush = 0.0

    def begin(self, run: Run, *, code_version: str = "") -> str:
        """The id of the MLflow run of `run`: found by its tag, else created. It is RUNNING now unless it has finished.

        Settings, origin and, once it is ingested, the data set are logged.

        Raises:
            TrackingError: MLflow does not answer or refuses.
        """
        with self.server.clear_errors():
            # Two stages of a run may ask at the same time, and MLflow would create a run for each.
            with self.server.one_at_a_time():
                found = self._find() or self._create(run)
                self._mlflow_run_id = found.info.run_id
            self._resume(found)
            self._log_params(self._parameters(run))
            self.tag(_origin_tags(run, code_version))
            self._log_dataset(run)
        return self._mlflow_run_id

    @property
    def mlflow_run_id(self) -> str:
        """The id of the MLflow run; it is begun from the run's record if this process has not done so."""
        return self._mlflow_run_id or self.begin(open_store(self.home).runs.open(self.run_id))

    @property
    def url(self) -> str:
        """The page of the run on the MLflow server; empty where MLflow is a database without a server."""
        if not self.server.is_remote:
            return ""
        return f"{self.server.pages}/#/experiments/{self.server.experiment_id}/runs/{self.mlflow_run_id}?{VIEW}"

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Take the metrics of a step; they reach MLflow within about two seconds, each step of a metric once.

        A training does not stop for MLflow: while it cannot be reached the points wait, and a warning is logged.
        """
        self._points.add(metrics, step)
        if time.monotonic() >= self._next_flush:
            self.flush()

    def log_results(self, results: Mapping[str, float]) -> None:
        """Take metrics that have one value per run; those that MLflow holds already stay as they are."""
        with self.server.clear_errors():
            known = self.server.client.get_run(self.mlflow_run_id).data.metrics
        self._points.add({name: value for name, value in results.items() if metric_name(name) not in known}, 0)

    def log_facts(self, facts: Mapping[str, object]) -> None:
        """Take facts that are no measurement, as parameters; those that MLflow holds already stay as they are."""
        with self.server.clear_errors():
            # MLflow refuses another value for a parameter, and a stage may run again.
            known = self.server.client.get_run(self.mlflow_run_id).data.params
            self._log_params({name: value for name, value in facts.items() if name not in known})

    def describe(self, text: str) -> None:
        """Set the description of the run, in Markdown, unless it has one that somebody wrote."""
        with self.server.clear_errors():
            # A person's words are not replaced by a machine's.
            if not self.server.client.get_run(self.mlflow_run_id).data.tags.get(NOTE_TAG):
                self.server.client.set_tag(self.mlflow_run_id, NOTE_TAG, text[:MAX_VALUE_LENGTH])

    def flush(self) -> bool:
        """Send what waits. False, with a warning, if MLflow did not take it; the points are kept for the next try."""
        try:
            self._send()
        except PinSageError as error:
            log.warning("%d points of the curves wait for MLflow: %s", len(self._points), error)
            self._next_flush = time.monotonic() + REST_S
            return False
        self._next_flush = time.monotonic() + FLUSH_S
        return True

    def tag(self, tags: Mapping[str, str]) -> None:
        """Set tags of the MLflow run; empty ones are left out."""
        with self.server.clear_errors():
            from mlflow.entities import RunTag

            entities = [RunTag(name, value[:MAX_VALUE_LENGTH]) for name, value in tags.items() if value]
            self.server.client.log_batch(self.mlflow_run_id, tags=entities)

    def log_file(self, path: Path) -> None:
        """Store a file among the artifacts of the MLflow run, in place of one of the same name."""
        with self.server.clear_errors():
            self.server.client.log_artifact(self.mlflow_run_id, str(path))

    def log_text(self, text: str, name: str) -> None:
        """Store a text as the artifact `name` of the MLflow run, in place of one of the same name."""
        with self.server.clear_errors():
            self.server.client.log_text(self.mlflow_run_id, text, name)

    def mark_failed(self, reason: str) -> None:
        """End the MLflow run as FAILED with the reason as a tag, unless there is none, or it has failed or finished.

        The first reason stands: what follows from it says less. It never raises: the failure it reports matters more
        than a tracker that is out of reach.
        """
        if len(self._points):
            self.flush()
        try:
            with self.server.clear_errors():
                found = self._find()
                if found and found.info.status == "RUNNING":
                    self.server.client.set_tag(found.info.run_id, FAILURE_TAG, reason[:MAX_VALUE_LENGTH])
                    self.server.client.set_terminated(found.info.run_id, "FAILED")
                    if FINISHED_TAG in self._keep_finished(found.info.run_id):
                        self.server.client.delete_tag(found.info.run_id, FAILURE_TAG)
        except PinSageError as error:
            log.warning("MLflow was not told of the failure: %s", error)

    def finish(self, run: Run) -> None:
        """End the MLflow run as FINISHED, after everything that waits has been sent.

        Raises:
            TrackingError: MLflow does not answer or refuses; what waits is kept.
        """
        self._send()
        with self.server.clear_errors():
            self._log_dataset(run)
            self.server.client.set_tag(self.mlflow_run_id, FINISHED_TAG, "yes")
            self.server.client.set_terminated(self.mlflow_run_id, "FINISHED")

    def _find(self) -> "MlflowRun | None":
        return self.server.find_run(RUN_TAG, self.run_id)

    def _create(self, run: Run) -> "MlflowRun":
        tags = {"mlflow.source.type": "JOB", "mlflow.source.name": "pinsage"}
        # A run of a comparison is shown below the run of the comparison itself.
        if (comparison := run.origin.get("comparison")) and (above := self.server.find_run(RUN_TAG, comparison)):
            tags[PARENT_TAG] = above.info.run_id
        return self.server.create_run_once(RUN_TAG, self.run_id, run_name(run), tags)

    def _resume(self, found: "MlflowRun") -> None:
        # A stage that runs again in a finished run ends nothing anew, and would leave it open for ever.
        if found.info.status not in ("RUNNING", "FINISHED"):
            self.server.client.update_run(found.info.run_id, status="RUNNING")
        # Not by what was found: a process that has slept since would fail at a tag that is gone, and leave it open.
        tags = self._keep_finished(found.info.run_id)
        if FAILURE_TAG in tags:
            self.server.client.delete_tag(found.info.run_id, FAILURE_TAG)

    def _keep_finished(self, mlflow_run_id: str) -> dict[str, str]:
        """Set a run that has finished to FINISHED again, which MLflow cannot do by comparing; return its tags."""
        tags: dict[str, str] = self.server.client.get_run(mlflow_run_id).data.tags
        if FINISHED_TAG in tags:
            self.server.client.set_terminated(mlflow_run_id, "FINISHED")
        return tags

    def _parameters(self, run: Run) -> dict[str, object]:
        """All settings; of a run in a comparison its variant, its seed, and what differs from what all share."""
        settings, runs = flat(run.settings), open_store(self.home).runs
        comparison = run.origin.get("comparison", "")
        if not comparison or not runs.has(comparison):
            return settings
        shared = flat(runs.open(comparison).settings)
        differing = {name for name, value in settings.items() if value != shared[name]} - _DIFFER_ANYHOW
        own = {name: run.origin[name] for name in ("variant", "seed")}
        return {**own, **{name: settings[name] for name in sorted(differing)}}

    def _log_params(self, values: Mapping[str, object]) -> None:
        # Imported where it is used: MLflow takes seconds, and most stages never come here.
        from mlflow.entities import Param

        params = [Param(name, _text(value)) for name, value in values.items()]
        # The server refuses larger batches as a whole.
        for first in range(0, len(params), MAX_PARAMS_PER_BATCH):
            self.server.client.log_batch(self.mlflow_run_id, params=params[first : first + MAX_PARAMS_PER_BATCH])

    def _log_dataset(self, run: Run) -> None:
        from mlflow.entities import Dataset, DatasetInput

        ingested, address = run.results().get("ingest"), run.settings.data.dataset
        if not ingested:
            return
        source, profile = json.dumps({"uri": address}), json.dumps(ingested.facts)
        dataset = Dataset(Path(address).name or "dataset", ingested.key, "local", source, profile=profile)
        self.server.client.log_inputs(self.mlflow_run_id, [DatasetInput(dataset, [])])

    def _send(self) -> None:
        if len(self._points):
            with self.server.clear_errors():
                self._points.send(self.server.client, self.mlflow_run_id)


def _origin_tags(run: Run, code_version: str) -> dict[str, str]:
    """Tags for the origin of the run; the commit also under the name that MLflow's own pages show."""
    version = code_version or run.origin.get("code_version", "")
    origin = {f"pinsage.origin.{name}": value for name, value in run.origin.items()}
    return {**origin, "pinsage.code_version": version, "mlflow.source.git.commit": version.partition("+")[2]}


def _text(value: object) -> str:
    return (value if isinstance(value, str) else json.dumps(value))[:MAX_VALUE_LENGTH]
