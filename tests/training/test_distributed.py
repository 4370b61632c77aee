"""Several processes on one minibatch each do what one process does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from train_on_ranks import CASES, outcome

from pinsage.batches.builder import Share
from pinsage.errors import SettingsError
from pinsage.settings.schema import TrainSettings
from pinsage.training.distributed import num_processes

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def by_two(tmp_path_factory):
    """What each of two processes came to, for every case."""
    folder = tmp_path_factory.mktemp("ranks")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = {**os.environ, "PYTHONPATH": f"{HERE}:{HERE.parents[1]}", "OMP_NUM_THREADS": "1"}
    subprocess.run([*command, str(HERE / "train_on_ranks.py"), str(folder)], check=True, timeout=300, env=environment)
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]


@pytest.mark.parametrize("case", CASES)
def test_two_processes_have_the_loss_curve_of_one(by_two, case):
    """The same global minibatches: every loss to 1e-5, the validation and, to 1e-3, the weights after 40 steps."""
    alone, together = outcome(case), by_two[0][case]
    np.testing.assert_allclose(together["losses"], alone["losses"], atol=1e-5, rtol=0)
    np.testing.assert_allclose(together["hit_rates"], alone["hit_rates"], atol=0.01)
    np.testing.assert_allclose(together["weights"], alone["weights"], atol=1e-3)


def test_all_processes_return_the_same_network(by_two):
    """To the last bit: their gradients are one mean."""
    assert by_two[0] == by_two[1]


@pytest.mark.parametrize("count", [1, 4, 10, 41])
@pytest.mark.parametrize("num_ranks", [1, 2, 3, 8])
def test_shares_laid_end_to_end_are_the_whole(count, num_ranks):
    """Even parts that begin with all of the negatives, in order; the pairs exactly once."""
    pins = np.arange(count, dtype=np.int32)
    parts = [Share(rank, num_ranks).negatives(pins) for rank in range(num_ranks)]
    assert len({len(part) for part in parts}) == 1
    assert np.concatenate(parts)[:count].tolist() == pins.tolist()
    rows = [row for rank in range(num_ranks) for row in range(24 * count)[Share(rank, num_ranks).pairs(24 * count)]]
    assert rows == list(range(24 * count))


def test_the_number_of_processes_is_one_per_gpu_unless_it_is_set(monkeypatch):
    """None on a CPU; never more than GPUs; and they must share the minibatch evenly."""
    assert num_processes(TrainSettings(device="cpu")) == 1
    assert num_processes(TrainSettings(device="cpu", num_processes=2)) == 2
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert num_processes(TrainSettings()) == 4
    assert num_processes(TrainSettings(device="cpu")) == 1
    with pytest.raises(SettingsError, match="num_processes is 8, and PyTorch sees 4 GPUs"):
        num_processes(TrainSettings(num_processes=8))
    with pytest.raises(SettingsError, match=r"batch_size 250 cannot be shared evenly by 4 processes\. Use 252"):
        num_processes(TrainSettings(batch_size=250))
