"""A call of MLflow that fails before or after it has done its work, or that kills: a second attempt doubles nothing.

`PINSAGE_FAULT_ROUNDS=10000 python -m pytest -s tests/faults/test_mlflow_faults.py` is the long form: every call with
every fault, three times.
"""

import os
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from fail_points import Fault
from fault_processes import CRASHED, TOLD, end, start
from tracked_run import check_tracked, track

TIMES, MOST = (3, None) if "PINSAGE_FAULT_ROUNDS" in os.environ else (1, 6)
# What tracking does without exception; that each is met shows that the calls are looked at.
EXPECTED = {"search_runs", "create_run", "log_batch", "log_inputs", "create_logged_model", "create_model_version"}


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A data folder whose MLflow has a first run."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        assert end(start(track, home, "first", None, home / "names")) == 0
        check_tracked(home, "first")
        yield home


def test_no_fault_of_a_call_doubles_anything(home):
    """The first attempt says in a sentence that MLflow refused, or goes on; the second ends with one of everything."""
    names = (home / "names").read_text().splitlines()
    points = [number for number, name in enumerate(names) if name.startswith("MLflow")]
    assert {names[number].split()[1].strip(",") for number in points} >= EXPECTED
    faults = [Fault(number, effect) for number in points for effect in ("error", "lost", "kill")] * TIMES
    Random(1).shuffle(faults)
    codes = Counter()
    for count, fault in enumerate(faults[:MOST]):
        run_id = f"run-{count}"
        codes[end(start(track, home, run_id, fault))] += 1
        assert end(start(track, home, run_id)) == 0, names[fault.number]
        check_tracked(home, run_id)
    print(f"{len(points)} points around calls of MLflow: {dict(codes)}")  # noqa: T201
    assert codes[CRASHED] == 0
    assert codes[TOLD]
