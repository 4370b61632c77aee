"""A pipeline over a drawn world of 200 pins, as a person or Airflow starts it: a command, or one process per stage."""

import json
import sys
from multiprocessing.synchronize import Barrier
from pathlib import Path

from fault_processes import CRASHED
from small_settings import SMALL

from pinsage.settings.loading import load_settings
from pinsage.store.deployment import open_store
from pinsage.tracking.tracker import RUN_TAG, open_tracker
from tasks.__main__ import main
from tasks.command_line.cli import app


def run_pipeline(home: Path, dataset: Path, run_id: str) -> None:
    """Run all stages as `pinsage run` does."""
    settings = [word for name, value in SMALL.items() for word in ("--set", f"{name}={value}")]
    app(["run", "--dataset", str(dataset), "--home", str(home), "--run", run_id, *settings])


def run_stage(home: Path, dataset: Path, run_id: str, stage: str, begins: Barrier, said: Path) -> None:
    """Run a stage as Airflow does, when others are as far; what it says goes into a file."""
    settings = json.dumps({**SMALL, "data.dataset": str(dataset)})
    begins.wait(60)
    with said.open("w") as sys.stdout:
        code = main([stage, "--run-id", run_id, "--home", str(home), "--settings", settings])
    if "Traceback" in said.read_text():
        code = CRASHED
    raise SystemExit(code)


def mlflow_run(home: Path, dataset: Path, run_id: str):
    """The one MLflow run of a pipeline run; None if there is none."""
    settings = load_settings(overrides={**SMALL, "data.dataset": str(dataset)})
    server = open_tracker(settings, home, run_id).server
    found = server.client.search_runs([server.experiment_id], f"tags.`{RUN_TAG}` = '{run_id}'")
    assert len(found) <= 1
    return found[0] if found else None


def stages_done(home: Path, run_id: str) -> set[str]:
    """The stages whose result is in the record of a run."""
    runs = open_store(home).runs
    return set(runs.open(run_id).results()) if runs.has(run_id) else set()
