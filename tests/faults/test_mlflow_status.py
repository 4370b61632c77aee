"""A run that is killed, told to end, interrupted or fails at a random moment: its MLflow run ends as what it was.

`PINSAGE_FAULT_ROUNDS=20 python -m pytest -s tests/faults/test_mlflow_status.py` is the long form: so many ends.
"""

import os
import signal
import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from fault_processes import end, start
from small_pipeline import mlflow_run, run_pipeline, stages_done
from small_settings import SMALL

from pinsage.tracking.tracker import FAILURE_TAG
from tasks.running.launch import StageCommand, StageFailedError, StageProcess, record_failure
from tasks.stages import STAGES

ROUNDS = int(os.environ.get("PINSAGE_FAULT_ROUNDS", "0"))
ENDS = [("SIGKILL", "SIGTERM", "SIGINT", "exception")[number % 4] for number in range(ROUNDS or 4)]
STAGES_HIT = list(STAGES) if ROUNDS else ["ingest", "pair", "connect"]
PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A data folder with an MLflow database."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield tmp_path_factory.mktemp("home")


def await_until(condition) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_run_that_is_ended_is_not_left_running(home, dataset, tmp_path):
    """`pinsage run`: after promote its MLflow run is finished, before that it has failed, with the reason."""
    rng, found = Random(ROUNDS), Counter()
    for number, kind in enumerate(ENDS):
        run_id = f"run-{number}"
        last = rng.choice([stage for stage in STAGES_HIT if kind != "exception" or STAGES[stage].has_artifact])
        place = tmp_path / run_id  # nothing is reused: each run does all of its stages
        place.mkdir()
        (place / "mlflow").symlink_to(home / "mlflow")
        (home / "mlflow").mkdir(exist_ok=True)
        if kind == "exception":
            (place / "artifacts").mkdir()
            (place / "artifacts" / last).write_text("in the way of a folder")
        process = start(run_pipeline, place, dataset, run_id)
        if kind != "exception":
            end_after(last, process, place, run_id, getattr(signal, kind), delay_s=rng.random() * 0.2)
        end(process)
        found[kind, check_ended(place, dataset, run_id)] += 1
    print({f"{kind}, {status}": count for (kind, status), count in sorted(found.items())})  # noqa: T201


def end_after(stage: str, process, home: Path, run_id: str, number: int, *, delay_s: float) -> None:
    """Send a signal to a process that runs a pipeline, a while after it has done a stage."""
    await_until(lambda: stage in stages_done(home, run_id) or not process.is_alive())
    time.sleep(delay_s)
    if process.is_alive():
        os.kill(process.pid, number)


def check_ended(home: Path, dataset: Path, run_id: str) -> str:
    """The status of an MLflow run, which is the right one."""
    await_until(lambda: (run := mlflow_run(home, dataset, run_id)) is None or run.info.status != "RUNNING")
    run, done = mlflow_run(home, dataset, run_id), stages_done(home, run_id)
    if run is None:
        assert "pair" not in done  # it has come no further than ingest
        return "none"
    if "promote" in done:
        assert run.info.status == "FINISHED"
    if "report" not in done:
        assert (run.info.status, bool(run.data.tags.get(FAILURE_TAG))) == ("FAILED", True)
    assert (run.info.status == "FAILED") == (FAILURE_TAG in run.data.tags)
    return run.info.status


@pytest.mark.parametrize("kind", ENDS if ROUNDS else ["SIGINT"])
def test_a_stage_that_is_ended_under_its_task_is_not_left_running(home, dataset, kind):
    """As in the DAG: the task passes on what its process said, and a run that fails for good has itself marked."""
    run_id = f"dag-{kind}-{time.monotonic_ns()}"
    settings = {**SMALL, "data.dataset": str(dataset)}
    StageProcess(StageCommand("ingest", run_id, home, settings)).run(lambda line: None)
    if kind == "exception":
        settings = {**settings, "walk.num_walks": 0}
    process = StageProcess(StageCommand("pair", run_id, home, settings))

    def end_at_once(line: str) -> None:
        if kind != "exception":
            process._process.send_signal(getattr(signal, kind))

    with pytest.raises(StageFailedError):
        process.run(end_at_once)
    record_failure(run_id, home, "the DAG run failed")
    assert check_ended(home, dataset, run_id) == "FAILED"
