"""Copies are fetched once per host, whole, and the one unused for longest makes room, unless a process uses it."""

import multiprocessing
import os
from threading import Barrier, Thread

import pytest

from pinsage.store import cache as caches
from pinsage.store.cache import Cache

PROCESSES = multiprocessing.get_context("fork")


@pytest.fixture
def cache(tmp_path):
    """Room for 1,000 bytes; nothing of it is in use when the test ends."""
    yield Cache(tmp_path / "copies", 1000)
    let_go()


def let_go():
    """End the use of all copies by this process."""
    while caches._HELD:
        os.close(caches._HELD.popitem()[1])


def fetch_of(size, calls=None):
    def fetch(folder):
        (folder / "a").write_bytes(b"a" * size)
        if calls is not None:
            calls.append(size)

    return fetch


def names(cache):
    return sorted(path.name for path in cache.root.iterdir() if (path / "files").is_dir())


def used_at(cache, name, seconds):
    os.utime(cache.root / name, (seconds, seconds))


def test_a_copy_is_fetched_once(cache):
    """By this process and by the next one."""
    calls = []
    first = cache.folder("x", 10, fetch_of(10, calls))
    assert cache.folder("x", 10, fetch_of(10, calls)) == first
    let_go()
    assert cache.folder("x", 10, fetch_of(10, calls)) == first
    assert (first / "a").read_bytes() == b"a" * 10
    assert calls == [10]


def _fetch_slowly(cache, counts):
    def fetch(folder):
        with counts.get_lock():
            counts.value += 1
        (folder / "a").write_bytes(b"a" * 100_000)

    assert (cache.folder("x", 10, fetch) / "a").stat().st_size == 100_000


def test_processes_that_ask_at_once_fetch_once(cache):
    """The others wait and take the same copy."""
    counts = PROCESSES.Value("i", 0)
    processes = [PROCESSES.Process(target=_fetch_slowly, args=(cache, counts)) for _ in range(6)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 6
    assert counts.value == 1


def test_threads_that_ask_at_once_and_keep_the_copy_do_not_wait_for_each_other(tmp_path):
    """As those of a worker, which uses a copy for as long as it lives."""
    cache, calls = Cache(tmp_path / "copies", 1000), []
    for number in range(100):
        at_once = Barrier(4)

        def ask(name=f"x{number}", at_once=at_once):
            at_once.wait()
            cache.folder(name, 1, fetch_of(1, calls))

        threads = [Thread(target=ask, daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
    assert len(calls) == 100
    let_go()


def test_a_fetch_that_fails_leaves_nothing(cache):
    """The next one begins anew."""

    def fail(folder):
        (folder / "a").write_bytes(b"half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cache.folder("x", 10, fail)
    assert names(cache) == []
    cache.folder("x", 10, fetch_of(7))
    assert names(cache) == ["x"]


def test_the_copy_unused_for_longest_makes_room(cache):
    """As many as are needed, and no more."""
    for number, name in enumerate(["old", "older", "new"]):
        cache.folder(name, 300, fetch_of(300))
        used_at(cache, name, [2, 1, 3][number])
    let_go()
    cache.folder("next", 300, fetch_of(300))
    assert names(cache) == ["new", "next", "old"]


def test_a_copy_in_use_stays(cache, tmp_path):
    """By this process, and by another one until it ends."""
    cache.folder("ours", 600, fetch_of(600))
    cache.folder("next", 600, fetch_of(600))
    assert names(cache) == ["next", "ours"]
    let_go()
    has_it, may_end = PROCESSES.Event(), PROCESSES.Event()

    def use():
        cache.folder("ours", 600, fetch_of(600))
        has_it.set()
        may_end.wait(60)

    other = PROCESSES.Process(target=use)
    other.start()
    assert has_it.wait(60)
    used_at(cache, "ours", 1)
    cache.folder("third", 600, fetch_of(600))
    assert names(cache) == ["ours", "third"]
    may_end.set()
    other.join(60)
    cache.folder("fourth", 600, fetch_of(600))
    assert names(cache) == ["fourth", "third"]


def test_a_process_that_lives_for_long_lets_go_of_old_copies(cache, monkeypatch):
    """A worker of a cluster opens other artifacts every day."""
    monkeypatch.setattr(caches, "_KEPT", 2)
    for day in range(5):
        cache.folder(f"day{day}", 400, fetch_of(400))
        used_at(cache, f"day{day}", day + 1)
    assert names(cache) == ["day2", "day3", "day4"]


def test_what_a_killed_fetch_left_goes_away(cache):
    """Half a copy counts and is removed like a whole one."""
    (cache.root / "dead" / "unfinished").mkdir(parents=True)
    (cache.root / "dead" / "lock").touch()
    (cache.root / "dead" / "unfinished" / "a").write_bytes(b"a" * 900)
    cache.folder("next", 600, fetch_of(600))
    assert not (cache.root / "dead").exists()


def test_a_draft_becomes_a_copy_without_being_fetched(cache, tmp_path):
    """Its files are moved."""
    (tmp_path / "draft" / "part").mkdir(parents=True)
    (tmp_path / "draft" / "part" / "a").write_bytes(b"mine")
    cache.adopt("x", tmp_path / "draft")
    assert (cache.folder("x", 4, fetch_of(9)) / "part/a").read_bytes() == b"mine"
