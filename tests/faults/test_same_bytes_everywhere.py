"""The walk stage writes the same bytes however the work is cut, whoever does it and whatever lies in between.

{1, 2, 7 partitions} x {threads, processes} x {cluster of this machine, separate scheduler} x {shared folders, S3}.
"""

import shutil
from contextlib import contextmanager, nullcontext

import dask
import numpy as np
import pytest
from separate_cluster import separate_cluster

from pinsage.cluster.connection import open_cluster
from pinsage.cluster.workers import Threads
from pinsage.graph.build import build_graph
from pinsage.settings.loading import load_settings
from pinsage.settings.schema import ClusterSettings
from pinsage.store.manifest import Manifest, file_entries
from tasks.running.work import StageWork
from tasks.walk import walk

SHAPES = {"threads": (1, 2), "processes": (2, 1)}  # workers, threads of each


@pytest.fixture(scope="module")
def connect(tmp_path_factory):
    """The folder of a graph of 3,000 pins, some isolated."""
    folder, rng = tmp_path_factory.mktemp("connect"), np.random.default_rng(0)
    keys = np.unique(rng.integers(0, 500, 15_000) * 3000 + rng.integers(0, 2900, 15_000))
    pins, boards = (keys % 3000).astype(np.int32), (keys // 3000).astype(np.int32)
    build_graph(pins, boards, num_pins=3000, num_boards=500).save(folder)
    return folder


@pytest.fixture(scope="module")
def expected(connect, tmp_path_factory):
    """The files as one worker with one thread makes them in one partition."""
    with open_cluster(ClusterSettings(num_workers=1)) as cluster:
        return walked(cluster, connect, tmp_path_factory.mktemp("expected"), partitions=1)


@pytest.fixture(scope="module", params=["this machine", "separate scheduler"])
def place(request):
    """The place where workers are started."""
    return request.param


@pytest.fixture(scope="module", params=list(SHAPES))
def cluster(request, place, s3, tmp_path_factory):
    """Two threads or two processes that know the S3 server, in folders that nobody else uses; and those folders."""
    folder = tmp_path_factory.mktemp("cluster")
    with running(place, *SHAPES[request.param], folder) as settings, open_cluster(settings) as cluster:
        yield cluster, folder


@contextmanager
def running(place, workers, threads, folder):
    if place == "this machine":
        with dask.config.set({"temporary-directory": str(folder)}):
            yield ClusterSettings(num_workers=workers, threads_per_worker=threads)
    else:
        with separate_cluster(folder, workers, threads) as address:
            yield ClusterSettings(address=address)


def walked(cluster, connect, folder, *, partitions, address=""):
    """The files that the stage writes with the default settings, on a cluster that is there already."""
    (folder / "out").mkdir()
    chosen = {"walk.num_partitions": partitions, "cluster.address": address}
    work = StageWork(load_settings(overrides=chosen), {"connect": connect}, folder / "out", folder, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tasks.walk.workers", lambda settings, on_progress, num_pins: nullcontext(cluster))
        facts = walk(work)
    assert facts["partitions"] == partitions
    return file_entries(folder / "out")


@pytest.mark.parametrize("partitions", [1, 2, 7])
def test_shared_folders_give_the_same_bytes(cluster, connect, expected, tmp_path, partitions):
    """Workers write into our arrays."""
    assert walked(cluster[0], connect, tmp_path, partitions=partitions) == expected


@pytest.mark.parametrize("partitions", [1, 2, 7])
def test_a_store_in_between_gives_the_same_bytes(cluster, connect, expected, tmp_path, store_on_s3, partitions):
    """Workers fetch the graph once per host into their own folder; nothing of the job stays in the store."""
    with store_on_s3.artifacts.publish(Manifest("connect", f"k{partitions}", 1, {}, {}, {}, "test")) as draft:
        shutil.copytree(connect, draft.folder, dirs_exist_ok=True)
    graph = store_on_s3.artifacts.folder("connect", f"k{partitions}")
    assert walked(cluster[0], graph, tmp_path, partitions=partitions, address="tcp://elsewhere:8786") == expected
    copies = list(cluster[1].rglob(f"pinsage/cache/store/copies/connect-k{partitions}-*/files/pin_boards.npy"))
    assert 1 <= len(copies) == len({path.relative_to(cluster[1]).parts[0] for path in copies})  # a host's own folder
    assert store_on_s3.bucket("scratch").names() == []


@pytest.mark.parametrize("partitions", [1, 7])
def test_threads_of_this_process_give_the_same_bytes(connect, expected, tmp_path, partitions):
    """A small catalog needs no cluster."""
    assert walked(Threads(2), connect, tmp_path, partitions=partitions) == expected
