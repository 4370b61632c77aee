"""A run that does all that is done with MLflow, as a process of its own, and the state of MLflow after it."""

from datetime import UTC, datetime
from pathlib import Path

from fail_points import Fault, fail_points, write_passed
from fault_processes import told_or_crashed

from pinsage.settings.loading import load_settings
from pinsage.store.deployment import open_store
from pinsage.store.run import StageResult
from pinsage.tracking.days import DAYS_TAG, days_server, log_day
from pinsage.tracking.registry import CHALLENGER, KEY_TAG, Registry
from pinsage.tracking.server import Server
from pinsage.tracking.tracker import FAILURE_TAG, RUN_TAG, Tracker, open_tracker

STEPS, DAY = (10, 20, 30), datetime(2026, 5, 1, tzinfo=UTC)
SETTINGS = load_settings(overrides={"data.dataset": "/data/demo"})


def track(home: Path, run_id: str, fault: Fault | None = None, names: Path | None = None) -> None:
    """Take a run through MLflow, and mark it failed where that fails, as a stage does."""
    with fail_points(fault) as passed:
        told_or_crashed(lambda: _track_or_mark_failed(home, run_id))
    if names:
        write_passed(names, passed)


def _track_or_mark_failed(home: Path, run_id: str) -> None:
    tracker = open_tracker(SETTINGS, home, run_id)
    try:
        _track(home, run_id, tracker)
    except Exception as error:
        tracker.mark_failed(str(error))
        raise


def _track(home: Path, run_id: str, tracker: Tracker) -> None:
    run = open_store(home).runs.open_or_start(run_id, SETTINGS, {"dag_id": "train_pinsage"})
    run.record(StageResult("ingest", f"key of {run_id}", 1.0, False, {"pins": 7}))
    tracker.begin(run)
    for step in STEPS:
        tracker.log_metrics({"curves/loss": 1 / step}, step)
    tracker.flush()  # a training goes on without: what was lost is sent again below
    registry = Registry(tracker.server, _model(run_id))
    version = registry.find_or_create(
        run_id, {"note": "a"}, _package, mlflow_run_id=tracker.mlflow_run_id, scratch=home
    )
    registry.tag(version, {RUN_TAG: run_id})
    registry.point(CHALLENGER, version)
    tracker.log_results({"hit_rate": 0.5})
    tracker.log_facts({"walk/pins": 7})
    for step in STEPS:
        tracker.log_metrics({"curves/loss": 1 / step}, step)
    tracker.describe("A table.")
    tracker.log_text("all", "stages.json")
    log_day(days_server(SETTINGS.tracking, home), _model(run_id), DAY, {"hit_rate": 0.5})
    tracker.finish(run)


def check_tracked(home: Path, run_id: str, *, may_repeat: bool = False) -> None:
    """Return if MLflow holds the run once, finished and whole; `may_repeat` lets a point of a curve be there twice."""
    server = Server(SETTINGS.tracking, home)
    client, experiment = server.client, [server.experiment_id]
    [run] = client.search_runs(experiment, f"tags.`{RUN_TAG}` = '{run_id}'")
    assert (run.info.status, FAILURE_TAG in run.data.tags) == ("FINISHED", False)
    steps = _distinct_steps if may_repeat else _steps
    assert steps(client, run, "curves/loss") == list(STEPS)
    assert steps(client, run, "hit_rate") == [0]
    assert run.data.params["walk/pins"] == "7"
    assert [item.dataset.digest for item in run.inputs.dataset_inputs] == [f"key of {run_id}"]
    assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["stages.json"]
    [version] = client.search_model_versions(f"name = '{_model(run_id)}'")
    assert version.tags == {"note": "a", KEY_TAG: run_id, RUN_TAG: run_id}
    assert client.get_model_version_by_alias(_model(run_id), CHALLENGER).version == version.version
    models = client.search_logged_models(experiment, f"tags.`{KEY_TAG}` = '{run_id}'")
    assert [(model.status, model.artifact_location) for model in models] == [("READY", version.source)]
    days = days_server(SETTINGS.tracking, home)
    [day] = client.search_runs([days.experiment_id], f"tags.`{DAYS_TAG}` = '{_model(run_id)}'")
    assert (day.info.status, len(steps(client, day, "hit_rate"))) == ("FINISHED", 1)


def _model(run_id: str) -> str:
    return f"model-of-{run_id}"


def _package(folder: Path) -> None:
    folder.mkdir()
    (folder / "MLmodel").write_text("flavors: {}\n")


def _steps(client, run, metric: str) -> list[int]:
    return sorted(point.step for point in client.get_metric_history(run.info.run_id, metric))


def _distinct_steps(client, run, metric: str) -> list[int]:
    return sorted(set(_steps(client, run, metric)))
