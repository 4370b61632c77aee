"""Bad inputs of every kind that a generator draws: rows that add up or one sentence; no traceback, none over a minute.

`PINSAGE_FAULT_ROUNDS=2000 python -m pytest tests/faults/test_bad_inputs.py` is the long form.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from try_bad_inputs import KINDS, LIMIT_S

ROOT = Path(__file__).parents[2]
ROUNDS = max(len(KINDS), int(os.environ.get("PINSAGE_FAULT_ROUNDS", "0")))
AT_ONCE = 200
MOST_CHARACTERS = 4000


def tried(folder: Path, numbers: range) -> list[dict]:
    """The outcomes of bad inputs, in a process of its own: a crash or a hang is the outcome of the one it ended at."""
    program = Path(__file__).with_name("try_bad_inputs.py")
    command = [sys.executable, str(program), str(folder), str(numbers.start), str(numbers.stop)]
    environment = dict(os.environ) | {"PYTHONPATH": f"{ROOT}:{program.parent}"}
    answer = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)
    found = [json.loads(line) for line in answer.stdout.splitlines()]
    assert len(found) == len(numbers), f"input {numbers[len(found)]}: {answer.returncode} {answer.stderr[-2000:]}"
    return found


@pytest.mark.parametrize("first", range(0, ROUNDS, AT_ONCE))
def test_no_bad_input_is_a_traceback_a_hang_or_a_row_lost(tmp_path, first):
    """Each is taken, with every row counted as kept, quarantined or later, or refused in a line that a person reads."""
    found = tried(tmp_path, range(first, min(first + AT_ONCE, ROUNDS)))
    assert [result for result in found if result["outcome"] == "fault"] == []
    assert max(result["seconds"] for result in found) < LIMIT_S
    refused = [result for result in found if result["outcome"] == "refused"]
    for result in refused:
        sentence = result["said"]
        assert sentence.isprintable(), result
        assert 20 < len(sentence) < MOST_CHARACTERS, result
    outcomes = Counter(result["outcome"] for result in found)
    # Neither alone would test much: an input that is taken shows nothing of the sentences, one refused nothing of rows.
    assert min(outcomes["taken"], outcomes["refused"]) > len(found) // 5
    print(f"inputs {first} to {first + len(found) - 1}: {dict(outcomes)}")  # noqa: T201 - the figures of the long form


def test_there_are_at_least_forty_kinds():
    """Tables, files, pictures, paths, settings and what is read beside them."""
    assert len(KINDS) >= 40
