"""A disk that fills, a graph that is cut short, a scheduler that dies: one sentence that says so, and no hang."""

import time
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from separate_cluster import scheduler_process, worker_process

from pinsage.cluster.connection import open_cluster
from pinsage.errors import ArtifactDamagedError, ClusterError, DiskFullError
from pinsage.graph.build import build_graph
from pinsage.settings.loading import load_settings
from tasks.running.work import StageWork
from tasks.walk import walk

QUICK = {"walk.num_walks": 50, "walk.hard_negative_walks": 50}


@pytest.fixture(autouse=True)
def _no_catalog_is_too_small_for_a_cluster(monkeypatch):
    monkeypatch.setattr("pinsage.cluster.workers.SMALL_PINS", 0)


@pytest.fixture
def work(tmp_path):
    """A graph of 20,000 pins and an empty folder to write to."""
    rng = np.random.default_rng(0)
    keys = np.unique(rng.integers(0, 3000, 150_000) * 20_000 + rng.integers(0, 20_000, 150_000))
    for name in ("connect", "out"):
        (tmp_path / name).mkdir()
    pins, boards = (keys % 20_000).astype(np.int32), (keys // 20_000).astype(np.int32)
    build_graph(pins, boards, num_pins=20_000, num_boards=3000).save(tmp_path / "connect")
    return StageWork(
        load_settings(overrides=QUICK), {"connect": tmp_path / "connect"}, tmp_path / "out", tmp_path, tmp_path
    )


def with_settings(work, **chosen):
    overrides = QUICK | {name.replace("__", "."): value for name, value in chosen.items()}
    return replace(work, settings=load_settings(overrides=overrides))


def test_a_disk_that_fills_while_workers_write_is_named(work, tiny_disk):
    """The arrays need 7 MB; there is no "failed 3 times" about it."""
    with pytest.raises(DiskFullError, match=rf"^The disk of {tiny_disk} on \S+ is full \(\d MB free\)\. Free space"):
        walk(replace(work, out=tiny_disk))


def test_a_full_disk_of_a_worker_is_named(work, tiny_disk, tmp_path, store_on_s3):
    """The graph does not fit into the folder that the worker was given."""
    with scheduler_process(tmp_path) as (_, address), worker_process(address, tiny_disk):
        stored = with_settings(work, cluster__address=address)
        with pytest.raises(DiskFullError, match=rf"^The disk of {tiny_disk}/\S+ on \S+ is full"):
            walk(stored)
    assert store_on_s3.bucket("scratch").names() == []


def test_a_graph_cut_short_after_our_look_is_named_by_the_worker(work, monkeypatch):
    """Trying again cannot help, and the exit code of the stage says so."""
    path = work.inputs["connect"] / "board_pins.npy"

    @contextmanager
    def cut_then_connected(settings, on_progress, num_pins):
        path.write_bytes(path.read_bytes()[:-4])
        with open_cluster(settings, on_progress) as cluster:
            yield cluster

    monkeypatch.setattr("tasks.walk.workers", cut_then_connected)
    with pytest.raises(ArtifactDamagedError, match=r"board_pins\.npy") as caught:
        walk(work)
    assert not caught.value.retry_can_help


def test_a_scheduler_that_dies_in_the_middle_of_the_walk_is_named(work, tmp_path):
    """As soon as the first part is done; well within a minute."""
    with scheduler_process(tmp_path) as (scheduler, address), worker_process(address, tmp_path / "host"):
        chosen = with_settings(work, cluster__address=address, walk__num_partitions=200)
        began: list[float] = []

        def kill(progress):
            if progress.done and not began:
                began.append(time.monotonic())
                scheduler.kill()

        with pytest.raises(ClusterError, match=r"walk: the scheduler was lost with \d+ of 200 parts|does not answer"):
            walk(replace(chosen, on_progress=kill))
        assert time.monotonic() - began[0] < 60
