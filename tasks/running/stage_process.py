"""One stage of one run with everything around it: the run's record, the artifact, the experiment tracker."""

import logging
from collections.abc import Mapping
from pathlib import Path

from pinsage.errors import MemoryShortError
from pinsage.progress import OnProgress, log_nothing
from pinsage.settings.schema import Settings
from pinsage.store.deployment import open_store
from pinsage.store.machine import machine_error
from pinsage.store.run import Run, StageResult
from pinsage.tracking.names import curve_names
from pinsage.tracking.tracker import Tracker, open_tracker
from tasks.running.launch import record_failure
from tasks.running.progress import ProgressLines
from tasks.running.runner import code_version, run_stage

log = logging.getLogger(__name__)


def perform(
    stage: str,
    run_id: str,
    settings: Settings,
    home: Path,
    origin: dict[str, str],
    on_progress: OnProgress | None = None,
) -> StageResult:
    """Run a stage and return its result, which is also in the run's record.

    The progress of work on the cluster goes to `on_progress`, or into the log.

    MLflow takes three seconds to import, so of the stages that succeed only ingest (which opens the MLflow run), train
    (which streams its curves) and promote (which closes it) go near it. A refresh has no MLflow run: there is nothing
    to compare, and one every hour would hide the trainings.

    Raises:
        PinSageError: the stage cannot be done; the MLflow run is then marked as failed.
    """
    run = open_store(home).runs.open_or_start(run_id, settings, origin)
    tracker = open_tracker(settings, home, run_id)
    try:
        return _track(stage, run, home, tracker, on_progress or ProgressLines())
    except Exception as error:
        told = machine_error(error) or error
        if stage != "ingest" and not run.model_run:  # before ingest has ended there is no MLflow run
            if isinstance(told, MemoryShortError):  # there is no room here for MLflow
                record_failure(run_id, home, f"{stage}: {told}")
            else:
                _mark_failed(tracker, f"{stage}: {told}")
        raise


def mark_failed(run_id: str, home: Path, reason: str) -> None:
    """End the MLflow run of a pipeline run whose process could not do it any more.

    Raises:
        RunRecordError: there is no such run.
    """
    run = open_store(home).runs.open(run_id)
    if not run.model_run:
        _mark_failed(open_tracker(run.settings, home, run_id), reason)


def _track(stage: str, run: Run, home: Path, tracker: Tracker, on_progress: OnProgress) -> StageResult:
    if run.model_run:
        return run_stage(stage, run, home, on_progress=on_progress)
    is_training = stage == "train"

    def log_curves(metrics: Mapping[str, float], step: int) -> None:
        tracker.log_metrics(curve_names(metrics), step)

    result = run_stage(stage, run, home, log_curves if is_training else log_nothing, on_progress)
    if is_training:
        tracker.flush()
    if stage == "ingest":
        tracker.begin(run, code_version=code_version())
    return result


def _mark_failed(tracker: Tracker, reason: str) -> None:
    try:
        tracker.mark_failed(reason)
    except Exception:
        log.exception("The MLflow run could not be marked as failed; the stage's own error stands")
