"""The walk stage while workers are killed at random: every round ends with the bytes of an undisturbed run.

`PINSAGE_FAULT_ROUNDS=40 python -m pytest tests/faults` is the long form.
"""

import os
import random
import threading
import time
from dataclasses import replace

import numpy as np
import psutil
import pytest

from pinsage.graph.build import build_graph
from pinsage.settings.loading import load_settings
from pinsage.store.manifest import file_entries
from tasks.running.work import StageWork
from tasks.walk import walk

ROUNDS = int(os.environ.get("PINSAGE_FAULT_ROUNDS", "3"))
OVERRIDES = {
    "walk.num_neighbors": 10, "walk.num_walks": 200, "walk.num_hard_negatives": 10, "walk.hard_negative_walks": 200,
    "walk.num_partitions": 40, "cluster.num_workers": 2,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _no_catalog_is_too_small_for_a_cluster(monkeypatch):
    monkeypatch.setattr("pinsage.cluster.workers.SMALL_PINS", 0)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A graph of 30,000 pins, and an empty folder to write to."""
    folder, rng = tmp_path_factory.mktemp("faults"), np.random.default_rng(0)
    keys = np.unique(rng.integers(0, 9000, 200_000) * 30_000 + rng.integers(0, 30_000, 200_000))
    pins, boards = (keys % 30_000).astype(np.int32), (keys // 30_000).astype(np.int32)
    (folder / "connect").mkdir()
    build_graph(pins, boards, num_pins=30_000, num_boards=9000).save(folder / "connect")
    return StageWork(load_settings(overrides=OVERRIDES), {"connect": folder / "connect"}, folder, folder, folder)


@pytest.fixture(scope="module")
def undisturbed(work):
    """The files of a run in peace."""
    return walked(work, "undisturbed")


def walked(work, name):
    out = work.out / name
    out.mkdir()
    walk(replace(work, out=out))
    return file_entries(out)


class Killer:
    """Kills one worker process of ours at a moment that is drawn: while the cluster starts, or within the walk."""

    def __init__(self, chance):
        self._chance, self.victim = chance, None
        self._others = psutil.Process().children()  # not ours to kill: other tests' servers
        self._moment = chance.uniform(-0.25, 0.85)  # share of the pins; below 0 before there is a cluster

    def __call__(self, progress):
        """Listens to the stage's progress."""
        if 0 <= self._moment <= progress.done / progress.total and self.victim is None:
            time.sleep(self._chance.uniform(0, 0.2))  # to be in the middle of a part
            self.strike()

    def at_the_start(self, stop):
        """Strikes some hundredths of a second after there is a worker process, if that is the moment drawn."""
        while self._moment < 0 and self.victim is None and not stop.wait(self._chance.uniform(0, 0.1)):
            self.strike()

    def strike(self):
        workers = [child for child in psutil.Process().children() if child not in self._others and is_worker(child)]
        if self.victim is None and workers:
            self.victim = self._chance.choice(workers)
            self.victim.kill()


def is_worker(process):
    try:
        return "resource_tracker" not in " ".join(process.cmdline())  # Dask renames the workers
    except psutil.Error:  # it has just ended
        return False


@pytest.mark.parametrize("number", range(ROUNDS))
def test_a_worker_killed_at_any_moment_changes_no_byte(work, undisturbed, number):
    """From the cluster's start to the last parts; the victim and the moment are drawn anew in each round."""
    killer, stop = Killer(random.Random(number)), threading.Event()
    thread = threading.Thread(target=killer.at_the_start, args=[stop])
    thread.start()
    try:
        assert walked(replace(work, on_progress=killer), f"round-{number}") == undisturbed
    finally:
        stop.set()
        thread.join()
    assert killer.victim is not None
