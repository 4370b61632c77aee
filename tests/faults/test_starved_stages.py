"""Runs whose every stage first meets a disk that fills, or a limit of memory: one sentence, and then the same bytes.

They take minutes and have a long form alone: `PINSAGE_FAULT_ROUNDS=96 python -m pytest
tests/faults/test_starved_stages.py` makes so many attempts.
"""

import math
import os
import re
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from random import Random

import pytest
from stage_traces import Traces
from stage_world import HANG_S, Ended, StageRun

from tasks.stages import STAGES

ATTEMPTS = int(os.environ.get("PINSAGE_FAULT_ROUNDS", "0"))
pytestmark = [
    pytest.mark.timeout(3600),  # for a machine with much else to do
    pytest.mark.skipif(not ATTEMPTS, reason="minutes: PINSAGE_FAULT_ROUNDS says how many attempts are made"),
]
ROUNDS = max(1, math.ceil(ATTEMPTS / len(STAGES) / 2))
FULL = re.compile(r"(A disk is|[^\n]*\bdisk of) [^\n]* Free space and run again\.")
SHORT = re.compile(r"Memory ran out [^\n]*")
# What numba, oneDNN and the removal of a folder say of memory that ran out.
WORDLESS = re.compile(r"^SystemError: |could not create a primitive|Directory not empty")
MIB = 2**20


@contextmanager
def filled(disk: Path, spare_bytes: int) -> Iterator[None]:
    """A block in which a disk has so much room and no more."""
    filler = disk / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(disk).free - spare_bytes)
    yield
    filler.unlink()


def check_refusal(ended: Ended, sentence: re.Pattern[str], before: Traces, run: StageRun) -> None:
    """Check that a stage told in one sentence why it ended, swept its draft, and touched nothing that was published."""
    assert ended.code == 1, ended
    assert sentence.fullmatch(ended.error), ended
    lines = ended.lines
    if sentence is SHORT:  # PyTorch leaves with a traceback where it finds no memory then
        lines = list(takewhile(lambda line: not line.startswith("{"), lines))
    assert not any("Traceback" in line for line in lines), ended
    after = run.traces()  # which verifies every artifact that there is
    assert before.files.items() <= after.files.items()
    assert [name for name in after.leftovers if "/scratch/" not in name] == []


@pytest.mark.parametrize("number", range(ROUNDS))
def test_stages_on_a_disk_that_fills_say_so_and_are_green_with_room(peace, small_disk, tmp_path, number):
    """The room is drawn from less than what the stage takes in peace."""
    run, rng = StageRun(peace.server, tmp_path, peace.dataset, small_disk / "home"), Random(f"disk {number}")
    outcomes: Counter[str] = Counter()
    for stage in STAGES:
        before, spare_bytes = run.traces(), rng.randrange(0, peace.grown_bytes[stage])
        with filled(small_disk, spare_bytes):
            ended = run.attempt(stage)
            if ended.code:
                check_refusal(ended, FULL, before, run)
        outcomes["refused" if ended.code else "green"] += 1
        run.perform(stage)
        assert run.traces() == peace.after[stage], f"{stage}, which had {spare_bytes} bytes first: {ended}"
    print(dict(outcomes))  # noqa: T201 - the figures of the long form
    assert outcomes["refused"] > len(STAGES) / 2


@pytest.mark.parametrize("number", range(ROUNDS))
def test_stages_short_of_memory_say_so_or_die_and_are_green_with_more(peace, tmp_path, number):
    """Never a word of damage, never a hang. A library that cannot go on may end the process, which the task names."""
    run, rng = StageRun(peace.server, tmp_path, peace.dataset), Random(f"memory {number}")
    outcomes: Counter[str] = Counter()
    for stage in STAGES:
        before, spare_bytes = run.traces(), rng.randrange(MIB, max(2 * MIB, peace.spare_bytes[stage]))
        ended = run.attempt(stage, spare_bytes=spare_bytes)
        assert ended.seconds < HANG_S, f"{stage} with {spare_bytes / MIB:.0f} MiB: {ended}"
        outcome = signal.Signals(-ended.code).name if ended.code < 0 else "refused" if ended.code else "green"
        if ended.code > 0 and ended.error and not WORDLESS.search(ended.error):
            check_refusal(ended, SHORT, before, run)
        elif ended.code > 0:  # or there was no memory even for the sentence, and the task names the end
            outcome = f"{stage}: {ended.error[:80] or ended.lines[-1]}"
        assert not any("damaged" in line for line in ended.lines), ended
        outcomes[outcome] += 1
        run.perform(stage)
        assert run.traces() == peace.after[stage], f"{stage}, which had {spare_bytes / MIB:.0f} MiB first: {ended}"
    print(dict(outcomes))  # noqa: T201
    assert outcomes["green"] < len(STAGES)
