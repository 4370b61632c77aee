"""`python -m tasks.running.train_rank JOB.json MEETING`: one of the processes that train together, as torchrun does."""

import json
import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from pinsage.config import load_settings
from pinsage.training.distributed import join_ranks
from tasks.running.orphan import die_with
from tasks.running.progress import ProgressLines
from tasks.running.ranks import say, speaking
from tasks.running.work import StageWork
from tasks.train import fit_network, publish


def main(job: Path, meeting: Path) -> None:
    """Train with the others; the first one publishes."""
    die_with(os.getppid())
    with speaking(), join_ranks(meeting) as ranks:
        if not ranks.is_first:
            logging.getLogger().setLevel(logging.WARNING)  # what all have to tell is told once
        work = read_job(job)
        result = fit_network(work)
        if ranks.is_first:
            say(facts=publish(result, work))


def read_job(path: Path) -> StageWork:
    """The work of the stage, as `tasks.train` wrote it down."""
    job = json.loads(path.read_text(encoding="utf-8"))
    inputs = {name: Path(folder) for name, folder in job["inputs"].items()}
    out, scratch, home = (Path(job[name]) for name in ("out", "scratch", "home"))
    settings = load_settings(overrides=job["settings"])
    return StageWork(settings, inputs, out, scratch, home, log_metrics=_say_metrics, tell=ProgressLines())


def _say_metrics(metrics: Mapping[str, float], step: int) -> None:
    say(metrics=dict(metrics), step=step)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
