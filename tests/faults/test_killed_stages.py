"""Runs whose every stage is killed at a random moment and done again: all they leave is what an undisturbed run leaves.

`PINSAGE_FAULT_ROUNDS=225 python -m pytest tests/faults/test_killed_stages.py` is the long form: so many kills in all.
"""

import math
import os
import shutil
import signal
from random import Random

import pytest
from stage_world import StageRun

from tasks.stages import STAGES

pytestmark = pytest.mark.timeout(3600)  # for a machine with much else to do
ROUNDS = math.ceil(int(os.environ.get("PINSAGE_FAULT_ROUNDS", "1")) / len(STAGES))


def kill(run: StageRun, stage: str, seconds: float, rng: Random) -> float:
    """Kill an attempt at a stage with all that it started; the moment, in seconds from its start.

    Args:
        run: as it is before the stage.
        stage: its name.
        seconds: that it takes in peace. The moment is drawn from these; where it has ended before, from a new start.
        rng: draws the moment.
    """
    before = run.folder / "before"
    shutil.copytree(run.home, before)
    while (ended := run.attempt(stage, kill_after_s=rng.uniform(0, seconds))).code != -signal.SIGKILL:
        assert ended.code == 0, ended
        shutil.rmtree(run.home)
        shutil.copytree(before, run.home)
    shutil.rmtree(before)
    return ended.seconds


@pytest.mark.parametrize("number", range(ROUNDS))
def test_a_run_whose_every_stage_is_killed_leaves_what_an_undisturbed_one_leaves(peace, tmp_path, number):
    """The same bytes, one MLflow run, one version, one decision, one release; and nothing of the dead attempts."""
    run, rng = StageRun(peace.server, tmp_path, peace.dataset), Random(number)
    for stage in STAGES:
        moment = kill(run, stage, peace.seconds[stage], rng)
        run.perform(stage)
        assert run.traces() == peace.after[stage], f"{stage}, killed after {moment:.3f} s"
