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

from pinsage.config import load_settings
from pinsage.graph.build import build_graph
from pinsage.store.manifest import file_entries
from tasks.walk import walk
from tasks.work import StageWork

ROUNDS = int(os.environ.get("PINSAGE_FAULT_ROUNDS", "3"))
OVERRIDES = {
    "walk.num_neighbors": 10, "walk.num_walks": 200, "walk.num_hard_negatives": 10, "walk.hard_negative_walks": 200,
    "walk.num_partitions": 40, "cluster.num_workers": 2,
}  # fmt: skip


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
    """The files of a run in peace, and its seconds."""
    began = time.monotonic()
    return walked(work, "undisturbed"), time.monotonic() - began


def walked(work, name):
    out = work.out / name
    out.mkdir()
    walk(replace(work, out=out))
    return file_entries(out)


def kill_a_worker(chance, stop):
    """Kill one of this process's worker processes as soon as there are any; returns whether it did."""
    while not stop.is_set():
        children = psutil.Process().children(recursive=True)
        workers = [child for child in children if "spawn_main" in " ".join(child.cmdline())]
        if workers:
            chance.choice(workers).kill()
            return
        time.sleep(0.01)


@pytest.mark.parametrize("number", range(ROUNDS))
def test_a_worker_killed_at_any_moment_changes_no_byte(work, undisturbed, number):
    """From the cluster's start to the last part; the victim and the moment are drawn anew in each round."""
    files, seconds = undisturbed
    chance, stop = random.Random(number), threading.Event()
    timer = threading.Timer(chance.uniform(0, seconds), kill_a_worker, [chance, stop])
    timer.start()
    try:
        assert walked(work, f"round-{number}") == files
    finally:
        stop.set()
        timer.join()
