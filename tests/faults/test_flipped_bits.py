"""A bit that flips in a file of ours, of whatever kind: a sentence, or the answer as if it had not.

`PINSAGE_FAULT_ROUNDS=600 python -m pytest tests/faults/test_flipped_bits.py` is the long form: so many flips in all.
"""

import math
import os
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from kept_files import Kept, kept_files

from pinsage.errors import PinSageError

KINDS = (
    "files of artifacts",
    "manifests of artifacts",
    "the index and its header",
    "files of a release",
    "CURRENT",
    "records of runs",
    "decisions",
    "checkpoints",
    "vectors of pictures",
    "digests of the data set's files",
    "the served model",
)
# In these every bit is data or its checksum: a flip that changes nothing would be a flip that nobody looked at.
ALL_REFUSED = ("files of artifacts", "files of a release", "the index and its header", "the served model")
ROUNDS = max(8, math.ceil(int(os.environ.get("PINSAGE_FAULT_ROUNDS", "0")) / len(KINDS)))


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> dict[str, Kept]:
    """Files of every kind."""
    return kept_files(tmp_path_factory.mktemp("kept"))


def flip(path: Path, rng: Random) -> int:
    """Change one bit of a file and return which."""
    content = bytearray(path.read_bytes())
    place = rng.randrange(8 * len(content))
    content[place // 8] ^= 1 << place % 8
    path.write_bytes(content)
    return place


def restore(contents: dict[Path, bytes]) -> None:
    """Write the files as they were."""
    for path, content in contents.items():
        if not path.is_file() or path.read_bytes() != content:
            path.write_bytes(content)


def test_the_kinds_are_those_that_there_are(kept):
    """Each has files, and a reader that can read them."""
    assert tuple(kept) == KINDS
    for each in kept.values():
        assert each.files
        assert each.answer() == each.answer()
    assert all(kept[kind].answer() is True for kind in ("checkpoints", "vectors of pictures"))  # the right ones


@pytest.mark.parametrize("kind", KINDS)
def test_no_flip_of_a_bit_is_accepted(kept, kind):
    """Damage is named in a printable line; of what is kept twice or can be made again the answer stays the same."""
    files, answer = kept[kind].files, kept[kind].answer
    contents, expected = {path: path.read_bytes() for path in files}, answer()
    outcomes: Counter[str] = Counter()
    for number in range(ROUNDS):
        rng = Random(f"{kind} {number}")
        path = rng.choice(files)
        place = flip(path, rng)
        try:
            assert answer() == expected, f"{path}: bit {place} was accepted"
            outcomes["the same answer"] += 1
        except PinSageError as error:
            assert str(error).isprintable(), error  # noqa: PT017 - both outcomes are right
            outcomes["refused"] += 1
        finally:
            restore(contents)
    print(f"{kind}: {dict(outcomes)}")  # noqa: T201 - the figures of the long form
    assert kind not in ALL_REFUSED or outcomes["refused"] == ROUNDS
    assert answer() == expected
