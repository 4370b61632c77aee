"""A stage with its record and its experiment: begun by ingest, marked when a later stage fails, untouched between."""

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pinsage.errors import DatasetError, PinSageError, RunRecordError
from pinsage.settings.loading import load_settings
from pinsage.store.deployment import open_store
from pinsage.tracking.tracker import open_tracker
from tasks.running.stage_process import mark_failed, perform
from tasks.stages import STAGES

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    """Four pins on two boards."""
    folder = tmp_path_factory.mktemp("data")
    pins, boards = ["a", "b", "c", "d"], ["x", "y"]
    pq.write_table(pa.table({"pin_id": pins, "title": ["one", "two", "three", "four"]}), folder / "pins.parquet")
    pq.write_table(pa.table({"board_id": boards}), folder / "boards.parquet")
    saves = [(board, pin) for board in boards for pin in pins]
    pq.write_table(
        pa.table({"board_id": [s[0] for s in saves], "pin_id": [s[1] for s in saves]}), folder / "saves.parquet"
    )
    return folder


def settings_for(folder: Path, **overrides):
    return load_settings(overrides={"data.dataset": str(folder), **overrides})


def status(settings, home: Path, run_id: str) -> str:
    """The status of the MLflow run of `run_id`."""
    tracker = open_tracker(settings, home, run_id)
    return tracker.server.client.get_run(tracker._find().info.run_id).info.status


@pytest.fixture(scope="module")
def begun(tmp_path_factory, dataset):
    """A home with one run whose ingest is done."""
    home, settings = tmp_path_factory.mktemp("home"), settings_for(dataset)
    perform("ingest", "r1", settings, home, {"dag_id": "train_pinsage"})
    return home, settings


def test_ingest_records_its_result_and_begins_the_experiment(begun):
    """The run remembers settings, origin and key; MLflow has it RUNNING."""
    home, settings = begun
    run = open_store(home).runs.open("r1")
    assert run.origin == {"dag_id": "train_pinsage"}
    assert run.result("ingest").facts
    assert status(settings, home, "r1") == "RUNNING"


def test_a_failing_stage_marks_the_experiment_and_keeps_its_own_error(begun):
    """A stage before its inputs is such a failure; ingest tried again sets the run going again."""
    home, settings = begun
    with pytest.raises(PinSageError, match="no result of 'pair'"):
        perform("connect", "r1", settings, home, {})
    assert status(settings, home, "r1") == "FAILED"
    perform("ingest", "r1", settings, home, {})
    assert status(settings, home, "r1") == "RUNNING"
    mark_failed("r1", home, "the machine went away")
    assert status(settings, home, "r1") == "FAILED"


def test_a_tracker_that_breaks_does_not_mask_the_error_of_the_stage(begun, monkeypatch):
    """The second failure is logged, the first is raised."""
    home, settings = begun

    def broken(self, reason):
        raise OSError("no MLflow today")

    monkeypatch.setattr("pinsage.tracking.tracker.Tracker.mark_failed", broken)
    with pytest.raises(PinSageError, match="no result of 'pair'"):
        perform("connect", "r1", settings, home, {})


def test_a_data_set_that_cannot_be_read_starts_no_experiment(tmp_path):
    """A wrong path costs a sentence, not three seconds of MLflow."""
    with pytest.raises(DatasetError):
        perform("ingest", "r1", settings_for(tmp_path / "nowhere"), tmp_path, {})
    assert not (tmp_path / "mlflow").exists()


def test_a_stage_without_memory_is_marked_as_failed_by_another_process(begun, monkeypatch):
    """This one may have no room for MLflow."""
    home, settings = begun

    def starved(*_, **__):
        raise MemoryError

    monkeypatch.setattr("tasks.running.stage_process.run_stage", starved)
    monkeypatch.setattr("pinsage.tracking.tracker.Tracker.mark_failed", starved)
    with pytest.raises(MemoryError):
        perform("pair", "r1", settings, home, {})
    assert status(settings, home, "r1") == "FAILED"


def test_a_run_that_does_not_exist_cannot_be_marked(tmp_path):
    """The sentence names it."""
    with pytest.raises(RunRecordError, match="r9"):
        mark_failed("r9", tmp_path, "gone")


def test_stages_between_do_not_load_mlflow():
    """Its three seconds, twelve times, would be most of a run over unchanged data."""
    modules = ", ".join(f"tasks.{stage}" for stage in STAGES if stage not in ("train", "promote"))
    code = f"import sys, tasks.running.stage_process, {modules}; print('mlflow' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
