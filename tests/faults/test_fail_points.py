"""A fault at every point where something is published: whoever reads meanwhile finds all of it or nothing.

`PINSAGE_FAULT_ROUNDS=10000 python -m pytest -s tests/faults/test_fail_points.py` is the long form: every point of every
kind, three times, beside so many reads in all.
"""

import os
import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from fail_points import Fault
from fault_processes import CONTEXT, CRASHED, TOLD, end, publish, start
from published_things import THINGS, open_thing, other_host

from pinsage.store.deployment import open_store
from pinsage.store.drafts import STAGING

READS = int(os.environ.get("PINSAGE_FAULT_ROUNDS", "0")) // (2 * len(THINGS))  # in a folder, and on S3
TIMES, MOST_SHORT = (3, None) if READS else (1, 3)  # of each effect
PAUSE_S = {"folder": 0.002, "S3": 0.05}  # a test server of S3 has one thread
# Which no publishing does without, wherever it goes: the hooks are in place.
EXPECTED = {"folder": {"fsync, before", "write, amid"}, "S3": {"S3 put_object, before", "S3 put_object, after"}}


def read_on(kind: str, home: Path, number, is_over, counts) -> None:
    """Read the newest generation again and again; `counts` are of those that were there, were not, and were torn."""
    thing = open_thing(kind, home)
    pause_s = PAUSE_S["S3" if thing.store.is_remote else "folder"]
    while not is_over.value:
        wanted = number.value
        try:
            found = thing.read(wanted)
        except Exception as error:
            if number.value == wanted:
                print(f"{kind} {wanted}: {error!r}", flush=True)  # noqa: T201 - the process has no other voice
                counts[2] += 1
            continue
        counts[0 if found else 1] += number.value == wanted
        time.sleep(pause_s)


def faults_at(names: list[str], rng: Random) -> list[Fault]:
    """Each point with each effect, `TIMES` over; in the short form a few of each effect, at as many calls as can be."""
    found = []
    for effect in ("error", "kill", "lost"):
        points = [number for number, name in enumerate(names) if effect != "lost" or name.startswith("S3")] * TIMES
        rng.shuffle(points)
        seen = Counter()
        rank = {}
        for point in points:
            rank[point] = seen[names[point]]
            seen[names[point]] += 1
        found += [Fault(point, effect) for point in sorted(points, key=rank.__getitem__)[:MOST_SHORT]]
    return found


@pytest.mark.parametrize("kind", THINGS)
def test_a_fault_at_any_point_leaves_all_or_nothing(kind, store, tmp_path):
    """An error is told in a sentence; after it, or a kill, the next attempt ends well and leaves nothing behind."""
    place = "S3" if store.is_remote else "folder"
    home, rng = store.home, Random(f"{kind} {place}")
    open_thing(kind, home).prepare()
    assert end(start(publish, kind, home, 1, None)) == 0
    assert end(start(publish, kind, home, 2, None, "", tmp_path / "names")) == 0  # its folders are there now
    names = (tmp_path / "names").read_text().splitlines()
    assert set(names) >= EXPECTED[place]
    number, is_over, counts = CONTEXT.Value("i", 2), CONTEXT.Value("b", 0), CONTEXT.Array("i", 3)
    reader = start(read_on, kind, other_host(store, "reader"), number, is_over, counts)
    codes = Counter()
    try:
        faults = faults_at(names, rng)
        while faults or sum(counts) < READS:
            fault = faults.pop() if faults else Fault(rng.randrange(len(names)), "kill")
            number.value += 1
            code = end(start(publish, kind, home, number.value, fault))
            codes[code] += 1
            open_thing(kind, other_host(store, f"look{number.value}")).read(number.value)
            assert end(start(publish, kind, home, number.value, None)) == 0
            assert open_thing(kind, other_host(store, f"again{number.value}")).read(number.value)
            left = open_thing(kind, home).left(number.value)
            if store.is_remote and code == TOLD:  # it gave the store up: what it had sent is for retention to remove
                left = [name for name in left if STAGING in name]
            assert left == [], (fault, names[fault.number])
    finally:
        is_over.value = 1
        end(reader)
    there, absent, torn = counts
    print(f"{kind}, {place}: {len(names)} points, {dict(codes)}, {there} whole, {absent} not yet, {torn} torn")  # noqa: T201
    assert torn == 0
    assert there
    assert codes[CRASHED] == 0
    assert codes[TOLD]
    assert codes[-9]


def test_a_fault_is_no_fault_where_nothing_is_hit(tmp_path):
    """A number that no point has lets the work end."""
    assert end(start(publish, "decision", tmp_path, 1, Fault(10**6, "kill"))) == 0
    assert open_store(tmp_path).bucket("decisions").names()
