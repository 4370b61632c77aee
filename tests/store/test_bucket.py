"""Small files by name, each whole or not there, made by one of many: in a folder and on S3."""

import multiprocessing
import time

import pytest
import s3fs

from pinsage.store import lease
from pinsage.store.deployment import open_store
from pinsage.store.remote import RemoteBucket

PROCESSES = multiprocessing.get_context("fork")


@pytest.fixture
def bucket(store):
    """The files of a store of each kind."""
    return store.bucket("things")


def test_files_are_written_read_listed_and_removed(bucket):
    """Below one root and nowhere else."""
    bucket.replace("a/b.json", b"old")
    bucket.replace("a/b.json", b"new")
    bucket.replace("a/c/d.json", b"")
    bucket.replace("ab.json", b"beside")
    assert bucket.read("a/b.json") == b"new"
    assert bucket.read("a/c/d.json") == b""
    assert bucket.read("a/nothing") is None
    assert bucket.names() == ["a/b.json", "a/c/d.json", "ab.json"]
    assert bucket.names("a") == ["a/b.json", "a/c/d.json"]
    assert bucket.names("nowhere") == []
    bucket.remove("a/c")
    bucket.remove("ab.json")
    bucket.remove("nowhere")
    assert bucket.names() == ["a/b.json"]


def test_a_file_is_created_once(bucket):
    """The second one learns that it did not make it; who asks again with its own content, that it did."""
    assert bucket.create("a.json", b"first")
    assert not bucket.create("a.json", b"second")
    assert bucket.create("a.json", b"first")
    assert bucket.read("a.json") == b"first"
    assert bucket.names() == ["a.json"]


def test_a_file_is_exchanged_for_what_was_read(bucket):
    """Somebody who has not seen the newest content changes nothing, and learns so."""
    assert bucket.exchange("a.json", None, b"first")
    assert not bucket.exchange("a.json", None, b"late")
    assert bucket.exchange("a.json", b"first", b"second")
    assert not bucket.exchange("a.json", b"first", b"late")
    assert not bucket.exchange("nothing", b"first", b"late")
    assert bucket.read("a.json") == b"second"
    assert bucket.names() == ["a.json"]


def test_a_file_that_changes_between_the_look_and_the_write_is_not_replaced(s3_url, monkeypatch):
    """The store itself compares: a sleeper may wake up after any look of its own."""
    bucket = RemoteBucket(s3_url)
    bucket.replace("a.json", b"first")
    call = s3fs.S3FileSystem._call_s3

    async def overtaken(fs, method, *words, **options):
        if "IfMatch" in options:
            await call(fs, method, Bucket=options["Bucket"], Key=options["Key"], Body=b"of another")
        return await call(fs, method, *words, **options)

    with monkeypatch.context() as patch:
        patch.setattr(s3fs.S3FileSystem, "_call_s3", overtaken)
        assert not bucket.exchange("a.json", b"first", b"second")
    assert bucket.read("a.json") == b"of another"


def _create(home, number, answers):
    answers.put(open_store(home).bucket("things").create("one", str(number).encode()))


def test_of_many_that_create_at_once_one_does(store, tmp_path):
    """Eight processes, as eight hosts."""
    answers = PROCESSES.Queue()
    processes = [PROCESSES.Process(target=_create, args=(store.home, number, answers)) for number in range(8)]
    for process in processes:
        process.start()
    assert sorted(answers.get(timeout=60) for _ in processes) == [False] * 7 + [True]
    for process in processes:
        process.join(60)


def _add_one(home):
    bucket = open_store(home).bucket("things")
    for _ in range(3):
        with open_store(home).one_at_a_time("adding"):
            bucket.replace("sum", str(int(bucket.read("sum") or b"0") + 1).encode())


def test_who_holds_a_lock_is_alone(store):
    """Three processes read, add and write; without a lock some of it would be lost."""
    processes = [PROCESSES.Process(target=_add_one, args=(store.home,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert store.bucket("things").read("sum") == b"9"


def _hold_and_hang(home, has_it):
    with open_store(home).one_at_a_time("thing"):
        has_it.set()
        time.sleep(600)


def test_a_killed_holder_lets_go(store, monkeypatch):
    """At once in a folder; elsewhere when it has been silent for a while."""
    monkeypatch.setattr(lease, "LEASE_S", 2.0)
    has_it = PROCESSES.Event()
    holder = PROCESSES.Process(target=_hold_and_hang, args=(store.home, has_it))
    holder.start()
    assert has_it.wait(60)
    holder.kill()
    holder.join(60)
    with store.one_at_a_time("thing"):
        pass


def test_a_holder_that_lives_keeps_its_lease_for_longer_than_one_lasts(store_on_s3, monkeypatch):
    """It writes to it again and again, and others wait."""
    monkeypatch.setattr(lease, "LEASE_S", 3.0)
    has_it = PROCESSES.Event()
    holder = PROCESSES.Process(target=_hold_and_hang, args=(store_on_s3.home, has_it))
    holder.start()
    assert has_it.wait(60)
    waiter = PROCESSES.Process(target=_add_under, args=(store_on_s3.home,))
    waiter.start()
    waiter.join(10)
    assert waiter.is_alive()
    holder.kill()
    waiter.join(60)
    assert waiter.exitcode == 0


def _add_under(home):
    with open_store(home).one_at_a_time("thing"):
        pass


def test_who_was_slow_does_not_take_over_with_a_number_that_was_cleared_away(store_on_s3):
    """It had looked when the last lease was the first one; meanwhile the second was taken and the first removed."""
    bucket = store_on_s3.bucket("locks")
    bucket.replace("thing/000000000003", b"held")
    assert not lease._is_highest(bucket, "thing", "thing/000000000002")
    assert bucket.create("thing/000000000002", b"late")
    assert not lease._is_highest(bucket, "thing", "thing/000000000002")
    assert bucket.names("thing") == ["thing/000000000003"]
