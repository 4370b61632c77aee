"""Work on a cluster is done exactly once over, or ends in an error that names the part."""

import os
import signal
import threading
import time

import cluster_parts
import pytest
from separate_cluster import scheduler_process, worker_process

from pinsage.cluster import connection, work
from pinsage.cluster.connection import open_cluster
from pinsage.errors import ClusterError, DatasetError
from pinsage.settings.schema import ClusterSettings


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes on this machine, for all tests of this file."""
    with open_cluster(ClusterSettings(num_workers=2)) as cluster:
        yield cluster


def numbers(count):
    return [(number,) for number in range(count)]


def test_results_come_back_in_the_order_of_the_parts(cluster):
    """More parts than workers, on two processes that are not this one."""
    assert cluster.num_threads == 2
    assert cluster.run(cluster_parts.squared, numbers(9), label="square") == [n * n for n in range(9)]
    workers = set(cluster.run(cluster_parts.process_id, numbers(6), label="who"))
    assert os.getpid() not in workers
    assert 1 <= len(workers) <= 2


def test_no_parts_give_no_results(cluster):
    """Nothing to wait for."""
    assert cluster.run(cluster_parts.squared, [], label="nothing") == []


def test_the_same_work_is_done_again_when_asked_again(cluster, tmp_path):
    """No result is remembered from an earlier call."""
    with pytest.raises(ClusterError):
        cluster.run(cluster_parts.broken, numbers(2), label="twice")
    assert cluster.run(cluster_parts.squared, numbers(2), label="twice") == [0, 1]


def test_an_input_error_of_a_worker_comes_back_as_itself(cluster):
    """Trying again cannot help, and the exit code of the stage depends on the class."""
    with pytest.raises(DatasetError, match="Part two is malformed"):
        cluster.run(cluster_parts.refused, numbers(4), label="check")


def test_a_part_that_raises_is_tried_again(cluster, tmp_path):
    """Each part fails once, and the results are whole."""
    parts = [(str(tmp_path), number) for number in range(3)]
    assert cluster.run(cluster_parts.broken_once, parts, label="flaky") == [0, 1, 2]


def test_a_part_that_always_raises_is_named(cluster):
    """With its number, its arguments and what it said."""
    with pytest.raises(ClusterError, match=r"flaky: part 2 of 3 \(1\) failed 3 times \(ValueError: no such luck\)"):
        cluster.run(cluster_parts.broken, numbers(3), label="flaky")


def test_a_part_that_ends_its_workers_is_named(cluster):
    """Four workers die of part 4; the cluster works on afterwards."""
    with pytest.raises(
        ClusterError,
        match=r"poison: part 4 of 6 \(3\) ended its worker again and again, the last 2 times with nothing else",
    ):
        cluster.run(cluster_parts.poisonous, numbers(6), label="poison")
    assert cluster.run(cluster_parts.squared, numbers(3), label="square") == [0, 1, 4]


def test_a_part_that_kept_bad_company_is_not_blamed():
    """Both threads of the only worker die with part 4 each time; the part beside it is tried alone and is fine."""
    with (
        open_cluster(ClusterSettings(num_workers=1, threads_per_worker=2)) as cluster,
        pytest.raises(ClusterError, match=r"poison: part 4 of 6 \(3\) ended its worker .* nothing else under way"),
    ):
        cluster.run(cluster_parts.poisonous, numbers(6), label="poison")


def test_a_part_whose_workers_are_killed_from_outside_is_tried_alone_and_counts(cluster, tmp_path):
    """It dies twice with its worker, as a poisoned one would, but not when nothing else is under way."""
    parts = [(str(tmp_path), number) for number in range(6)]
    assert cluster.run(cluster_parts.killed_twice, parts, label="unlucky") == [0, 1, 2, 3, 4, 5]
    assert len(list(tmp_path.glob("2-*"))) == 3


def test_the_part_of_a_killed_worker_is_done_by_another(cluster, tmp_path):
    """A worker is killed in the middle of part 0: the results are exact."""

    def kill_first():
        while not (started := list(tmp_path.glob("0-*"))):
            time.sleep(0.01)
        os.kill(int(started[0].name.split("-")[1]), signal.SIGKILL)

    killer = threading.Thread(target=kill_first)
    killer.start()
    results = cluster.run(cluster_parts.slow_square, [(str(tmp_path), n) for n in range(4)], label="square")
    killer.join()
    assert results == [0, 1, 4, 9]
    assert len(list(tmp_path.glob("0-*"))) == 2


def test_progress_is_told_in_pins_until_all_are_done(cluster, monkeypatch):
    """Parts of different sizes add up; at the end nothing is left."""
    told = []
    monkeypatch.setattr(cluster, "_on_progress", told.append)
    cluster.run(cluster_parts.squared, numbers(4), label="square", sizes=[10, 20, 30, 40])
    done = [progress.done for progress in told]
    assert done == sorted(done)
    assert (told[-1].label, told[-1].unit, done[-1], told[-1].total, told[-1].left_s) == ("square", "pins", 100, 100, 0)


def test_results_are_handed_over_as_they_come(cluster):
    """Each once, in whatever order."""
    seen = []
    cluster.run(cluster_parts.squared, numbers(5), label="square", on_result=seen.append)
    assert sorted(seen) == [0, 1, 4, 9, 16]


def test_an_address_where_nobody_answers_is_an_error(monkeypatch):
    """Within the time to connect, not never."""
    monkeypatch.setattr(connection, "CONNECT_S", 1.0)
    with (
        pytest.raises(ClusterError, match=r"No Dask scheduler answered at tcp://127\.0\.0\.1:9"),
        open_cluster(ClusterSettings(address="tcp://127.0.0.1:9")),
    ):
        pytest.fail("connected to nobody")


@pytest.fixture
def scheduler(tmp_path):
    """A scheduler process without workers, and its address."""
    with scheduler_process(tmp_path) as found:
        yield found


def test_a_scheduler_without_workers_is_an_error(scheduler, monkeypatch):
    """The sentence says how to start workers."""
    monkeypatch.setattr(connection, "CONNECT_S", 1.0)
    with pytest.raises(ClusterError, match="no worker after 1 s"), open_cluster(ClusterSettings(address=scheduler[1])):
        pytest.fail("connected to a cluster without workers")


@pytest.fixture
def worker(scheduler, tmp_path):
    """A worker process of that scheduler, without a nanny that would start it again."""
    with worker_process(scheduler[1], tmp_path) as process:
        yield process


def test_a_scheduler_that_dies_is_an_error_and_no_hang(scheduler, worker):
    """The scheduler is killed while parts are under way at a real worker."""
    process, address = scheduler
    with open_cluster(ClusterSettings(address=address)) as cluster:
        threading.Timer(0.5, process.kill).start()
        began = time.monotonic()
        with pytest.raises(ClusterError, match=r"the scheduler was lost with . of 2 parts|does not answer"):
            cluster.run(time.sleep, [(30.0,), (30.0,)], label="sleep")
        assert time.monotonic() - began < 25


def test_a_scheduler_that_is_frozen_is_an_error_and_no_hang(scheduler, worker, monkeypatch):
    """Its connections stay open, and nothing comes through them."""
    monkeypatch.setattr(work, "LOST_S", 1.0)
    monkeypatch.setattr(work, "_PING_S", 0.2)
    process, address = scheduler
    with open_cluster(ClusterSettings(address=address)) as cluster:
        threading.Timer(0.5, process.send_signal, [signal.SIGSTOP]).start()
        began = time.monotonic()
        with pytest.raises(ClusterError, match="does not answer any more"):
            cluster.run(time.sleep, [(30.0,), (30.0,)], label="sleep")
        assert time.monotonic() - began < 15
        process.send_signal(signal.SIGCONT)


def test_a_worker_that_joins_late_gets_its_share(scheduler, worker, tmp_path):
    """All parts wait at the scheduler, not at the worker that was there first."""
    with (
        open_cluster(ClusterSettings(address=scheduler[1])) as cluster,
        worker_process(scheduler[1], tmp_path / "late"),
    ):
        assert len(set(cluster.run(cluster_parts.slow_process_id, numbers(60), label="who"))) == 2


def test_the_loss_of_all_workers_is_an_error_and_no_hang(scheduler, worker, monkeypatch):
    """The scheduler lives and would wait for new workers for ever."""
    monkeypatch.setattr(work, "LOST_S", 1.0)
    monkeypatch.setattr(work, "_PING_S", 0.2)
    with open_cluster(ClusterSettings(address=scheduler[1])) as cluster:
        threading.Timer(0.5, worker.kill).start()
        with pytest.raises(ClusterError, match="no worker for 1 s with 2 parts to be done"):
            cluster.run(time.sleep, [(30.0,), (30.0,)], label="sleep")
