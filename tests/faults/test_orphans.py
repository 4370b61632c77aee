"""An attempt that sleeps through its own kill and wakes up after the next one has published: it changes nothing.

`PINSAGE_FAULT_ROUNDS=20 python -m pytest -s tests/faults/test_orphans.py` is the long form: so many random moments for
everything that is published, in each kind of store.
"""

import os
import signal
from functools import partial
from random import Random

import pytest
from fail_points import Fault
from fault_processes import CRASHED, TOLD, await_stop, end, publish, start
from published_things import THINGS, open_thing, other_host
from tracked_run import SETTINGS, check_tracked, track

from pinsage.tracking.server import Server

ROUNDS = int(os.environ.get("PINSAGE_FAULT_ROUNDS", "1"))
WAIT_S = 4.0  # a lock that a sleeper holds in a folder is not taken over: whoever has waited so long, waits for one


def await_end(begin, orphan) -> bool:
    """Wait until an attempt ends well; return whether the sleeper sleeps on.

    It is woken where the attempt waits for a lock that it may hold. Where the two went on together, the attempt may
    have been told that CURRENT was moved meanwhile, and is retried.
    """
    attempt = begin()
    attempt.join(WAIT_S)
    if is_awake := attempt.is_alive():
        wake(orphan)
    code = end(attempt)
    assert (end(begin()) if code == TOLD else code) == 0
    return not is_awake


def wake(orphan) -> None:
    """Let a sleeper go on, if it has not ended."""
    if orphan.is_alive():
        os.kill(orphan.pid, signal.SIGCONT)


@pytest.mark.parametrize("kind", THINGS)
def test_an_orphan_changes_nothing_that_was_published(kind, store, tmp_path):
    """The bytes of the next attempt stand, and no draft is left. What was published after that stands, too."""
    place, rng = "S3" if store.is_remote else "folder", Random(kind)
    open_thing(kind, store.home).prepare()
    assert end(start(publish, kind, store.home, 1, None)) == 0
    assert end(start(publish, kind, store.home, 2, None, "", tmp_path / "names")) == 0
    names = (tmp_path / "names").read_text().splitlines()
    for count in range(ROUNDS):
        number, moment = 3 + 2 * count, rng.randrange(len(names))
        next_host = other_host(store, f"next{count}") if count % 2 else store.home
        orphan = start(publish, kind, store.home, number, Fault(moment, "stop"), "first")
        await_stop(orphan)
        for each in (number, number + 1):
            await_end(partial(start, publish, kind, next_host, each, None, "second"), orphan)
        reader = other_host(store, f"look{count}")
        before = [open_thing(kind, reader).read(each) for each in seen(kind, number)]
        wake(orphan)
        assert end(orphan) != CRASHED, names[moment]
        reader = other_host(store, f"again{count}")
        after = [open_thing(kind, reader).read(each) for each in seen(kind, number)]
        assert all(before), names[moment]
        assert after == before, names[moment]
        assert open_thing(kind, store.home).left(number) == [], names[moment]
    print(f"{kind}, {place}: {ROUNDS} orphans")  # noqa: T201


def seen(kind: str, number: int) -> list[int]:
    """The generations that can be read when two have been published: of some things there is only the newest."""
    return [number + 1] if kind in ("CURRENT", "checkpoint") else [number, number + 1]


def test_an_orphan_neither_doubles_nor_opens_an_mlflow_run(store, tmp_path, monkeypatch):
    """It sleeps before or after a call of MLflow; hosts that share only a store have one server."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    rng = Random("S3" if store.is_remote else "folder")
    assert end(start(track, store.home, "first", None, tmp_path / "names")) == 0
    names = (tmp_path / "names").read_text().splitlines()
    points = [number for number, name in enumerate(names) if name.startswith("MLflow")]
    assert Server(SETTINGS.tracking, store.home).uri.endswith("mlflow.db")
    for count in range(ROUNDS):
        moment, run_id = rng.choice(points), f"run-{count}"
        orphan = start(track, store.home, run_id, Fault(moment, "stop"))
        await_stop(orphan)
        sleeps_on = await_end(partial(start, track, other_host(store, f"next{count}"), run_id), orphan)
        # Between its look at a curve and its batch it may sleep, and MLflow takes the same point from both.
        check_tracked(store.home, run_id, may_repeat=not sleeps_on)
        wake(orphan)
        assert end(orphan) != CRASHED, names[moment]
        check_tracked(store.home, run_id, may_repeat=True)
    print(f"MLflow, {'S3' if store.is_remote else 'folder'}: {ROUNDS} orphans")  # noqa: T201
