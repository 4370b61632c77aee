"""`python -m tasks.running.train_rank JOB.json MEETING`: one of the processes that train together, as torchrun does."""

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path

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
        work = StageWork.from_json(
            job.read_text(encoding="utf-8"), log_metrics=_say_metrics, on_progress=ProgressLines()
        )
        result = fit_network(work)
        if ranks.is_first:
            say(facts=publish(result, work))


def _say_metrics(metrics: Mapping[str, float], step: int) -> None:
    say(metrics=dict(metrics), step=step)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
