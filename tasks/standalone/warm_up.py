"""`python -m tasks.standalone.warm_up`: what the first run would wait for, done while the servers start.

A tiny world goes through the stages in this process: numba compiles each kernel for the very types that the stages
give it, and Python compiles the modules they import. Both are kept on disk, where every later process finds them.
"""

import hashlib
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pinsage
from pinsage.settings.loading import load_settings
from pinsage.store.deployment import STORE, open_store
from tasks.running.runner import run_stage
from tasks.stages import STAGES

log = logging.getLogger(__name__)
NICENESS = 5  # the servers come first
# Walks compile longest and are wanted first; a stage that acts on the world outside is none to warm up with.
TINY = {"train.steps": 1, "train.batch_size": 64, "evaluate.combined_steps": 1, "index.target_recall": 0.0,
        "walk.num_neighbors": 5, "walk.num_hard_negatives": 5, "spectral.dim": 8, "text.dim": 8}  # fmt: skip


def main(home: Path) -> int:
    """The exit code, always 0: a run does without what could not be prepared."""
    os.nice(NICENESS)
    os.environ.pop(STORE, None)  # the tiny world is no run of the deployment
    try:
        warm_up(home)
    except Exception:
        log.exception("Not everything could be compiled ahead; the stages will do it")
    return 0


def warm_up(home: Path) -> None:
    """Compile for all stages, unless this code has been compiled for this data folder before."""
    stamp = home / "cache" / "compiled"
    if stamp.is_file() and stamp.read_text() == fingerprint():
        return
    with TemporaryDirectory(prefix="pinsage-warm-up-") as folder:
        _run_tiny_world(Path(folder))
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(fingerprint())


def fingerprint() -> str:
    """A digest over place, size and time of change of our source files, by which numba too knows what to recompile."""
    states = sorted((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in _sources())
    return hashlib.sha256(repr(states).encode()).hexdigest()


def _sources() -> Iterator[Path]:
    return Path(pinsage.__file__).parent.rglob("*.py")


def _run_tiny_world(home: Path) -> None:
    from pinsage.datasets.demo.world import write_demo

    write_demo(home / "demo", num_pins=400)
    settings = load_settings(overrides={**TINY, "data.dataset": str(home / "demo")})
    run = open_store(home).runs.open_or_start("warm-up", settings)
    for stage in STAGES.values():
        if stage.has_artifact:
            run_stage(stage.name, run, home)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
