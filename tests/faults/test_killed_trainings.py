"""Trainings killed at random steps, and on a disk that fills: what comes out is what an undisturbed training gives.

`PINSAGE_FAULT_ROUNDS=20 python -m pytest tests/faults` is the long form.
"""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from train_in_a_process import STEPS, checksum, trained

from pinsage.errors import DiskFullError
from pinsage.progress import ignore_progress

HERE = Path(__file__).parent
ROUNDS = int(os.environ.get("PINSAGE_FAULT_ROUNDS", "1"))


def training(scratch, kill_at=None):
    """The checksum of everything a training came to, and the step it went on from; None if it was killed on the way."""
    command = [sys.executable, str(HERE / "train_in_a_process.py"), str(scratch)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE.parents[1])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        for line in process.stdout:
            kind, *what = line.split()
            if kind == "outcome":
                return what[0], int(what[1])
            if kind == "step" and kill_at is not None and int(what[0]) >= kill_at:
                process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    return None


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The checksum of a training in peace."""
    outcome, first = training(tmp_path_factory.mktemp("peace"))
    assert first == 0
    return outcome


@pytest.mark.parametrize("number", range(ROUNDS))
def test_a_training_killed_at_a_random_step_ends_with_the_same_bits(undisturbed, tmp_path, number):
    """SIGKILL at any step, also within a checkpoint's writing; the next attempt ends as if nothing had been."""
    step = random.Random(number).randint(1, STEPS - 1)
    assert training(tmp_path, kill_at=step) is None
    outcome, first = training(tmp_path)
    assert first >= (step - 1) // 4 * 4 - 4
    assert outcome == undisturbed


def test_a_disk_that_fills_keeps_the_checkpoint_before(undisturbed, tiny_disk):
    """The error names the disk, the step and the last checkpoint; with room again the training goes on from there."""
    filler = tiny_disk / "filler"
    filler.write_bytes(bytes(700_000))
    with pytest.raises(
        DiskFullError, match=r"full \(0 MB free\) at step \d+ of training; the last checkpoint is step-0"
    ):
        trained(tiny_disk, ignore_progress)
    assert not list(tiny_disk.glob(".*.partial"))
    filler.unlink()
    result = trained(tiny_disk, ignore_progress)
    assert result.resumed_from > 0
    assert checksum(result) == undisturbed
