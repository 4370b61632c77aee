"""The index: exact on small sets, ranked by cosine and popularity, and never a crash on a damaged file."""

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from index_world import build, random_unit, unit

from pinsage.errors import ArtifactDamagedError, InputError, UnknownPinError
from pinsage.index.header import HEADER, INDEX
from pinsage.index.pin_index import PinIndex


@pytest.fixture
def clock(tmp_path) -> PinIndex:
    """Four pins on a circle: 0 at noon, 1 a little after, 2 at a right angle, 3 opposite."""
    return build(unit([[1, 0], [0.9, 0.1], [0, 1], [-1, 0]]), tmp_path)


def test_related_pins_come_in_the_order_of_their_cosine_without_the_query(clock):
    """On a circle the order is known; the cosines are those of the angles."""
    pins, cosines = clock.related(0, 3)
    assert pins.tolist() == [1, 2, 3]
    np.testing.assert_allclose(cosines, [0.9 / np.hypot(0.9, 0.1), 0, -1], atol=1e-6)


def test_fewer_pins_come_back_where_the_catalog_is_smaller(clock):
    """Asking for more than there are gives all others."""
    assert sorted(clock.related(2, 50)[0].tolist()) == [0, 1, 3]
    assert sorted(clock.related_to_vector(np.ones(2, np.float32), 2**40)[0].tolist()) == [0, 1, 2, 3]
    assert clock.related(2, -3)[0].tolist() == []


def test_related_to_a_vector_from_outside(clock):
    """A new embedding is answered, whatever its length."""
    assert clock.related_to_vector(np.array([0, 5], np.float32), 1)[0].tolist() == [2]


def test_a_pin_with_many_twins_is_never_its_own_neighbor(tmp_path):
    """When more than k pins share one embedding, the query may be missing from Annoy's answer or anywhere in it."""
    index = build(unit([[1, 0]] * 30 + [[0, 1]]), tmp_path)
    for pin in range(30):
        pins, cosines = index.related(pin, 5)
        assert pin not in pins
        assert len(pins) == 5
        np.testing.assert_allclose(cosines, 1, atol=1e-6)


@pytest.mark.parametrize("pin", [-1, 4])
def test_an_unknown_pin_is_refused(clock, pin):
    """A row outside the index is named with the bounds."""
    with pytest.raises(UnknownPinError, match=f"Pin {pin} is not in the index, whose pins run from 0 to 3"):
        clock.related(pin, 1)


@pytest.mark.parametrize("vector", [[0, 0], [np.nan, 1], [1, 0, 0]])
def test_a_vector_that_cannot_be_looked_up_is_refused(clock, vector):
    """Zero, NaN or another size."""
    with pytest.raises(InputError, match="cannot be looked up among embeddings of size 2"):
        clock.related_to_vector(np.array(vector, np.float32), 1)


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf, 3.0])
def test_embeddings_that_are_not_of_unit_length_are_refused_at_build(tmp_path, bad):
    """The first bad pin is named and nothing is written."""
    embeddings = random_unit(6)
    embeddings[4] = bad
    with pytest.raises(InputError, match=r"1 of 6 embeddings are not of length 1 \(first: pin 4"):
        build(embeddings, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_embeddings_are_refused(tmp_path):
    """An empty catalog has no index."""
    with pytest.raises(InputError, match=r"shape \[0, 8\]"):
        build(np.empty((0, 8), np.float32), tmp_path)


BUILD = """
import sys, numpy as np
from pathlib import Path
from pinsage.index.pin_index import PinIndex
from pinsage.index.build import IndexPlan
embeddings = np.load(sys.argv[1])
popularity = np.arange(len(embeddings), dtype=np.float32) * float(sys.argv[3])
PinIndex.build(embeddings, popularity, Path(sys.argv[2]), IndexPlan(num_trees=5, search_k=1000))
"""


@pytest.mark.parametrize("strength", [0, 0.002])
def test_another_process_builds_the_same_bytes(tmp_path, strength):
    """Seed before the first item and one job: the file is a function of its input."""
    embeddings = random_unit(500)
    np.save(tmp_path / "e.npy", embeddings)
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    build(embeddings, tmp_path / "here", np.arange(500, dtype=np.float32) * strength)
    arguments = [tmp_path / "e.npy", tmp_path / "there", str(strength)]
    subprocess.run([sys.executable, "-c", BUILD, *arguments], check=True)
    for name in (INDEX, HEADER):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()


def test_a_reader_of_the_old_index_is_not_disturbed_by_a_new_one(tmp_path):
    """Building again replaces the file by a rename; what was mapped stays what it was."""
    first = build(random_unit(300), tmp_path)
    before = first.related(7, 10)[0].tolist()
    build(random_unit(20, seed=9), tmp_path)
    assert first.related(7, 10)[0].tolist() == before
    assert PinIndex.open(tmp_path).num_pins == 20
    assert sorted(path.name for path in tmp_path.iterdir()) == [INDEX, HEADER]


def test_popularity_is_added_to_the_cosine(tmp_path):
    """On the clock a popular pin at a right angle passes one that is near; its own popularity does not help a query."""
    index = build(unit([[1, 0], [0.9, 0.1], [0, 1], [-1, 0]]), tmp_path, [3, 0, 1.5, 0.25])
    near = 0.9 / np.hypot(0.9, 0.1)
    for answer in (index.related(0, 3), index.related_to_vector(np.array([7, 0], np.float32), 4)):
        pins, scores = answer
        others = pins != 0
        assert pins[others].tolist() == [2, 1, 3]
        np.testing.assert_allclose(scores[others], [1.5, near, -0.75], atol=1e-5)
    assert index.related(3, 1)[0].tolist() == [0]
    assert (index.dim, index.header.stored_dim, index.header.max_popularity) == (2, 4, 3)


@given(st.integers(2, 40), st.floats(0, 100), st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_answers_are_those_of_a_scan_by_score(tmp_path_factory, num_pins, strength, seed):
    """Popularity of any strength, none at zero: the scores of the best pins, as sorting all of them gives."""
    rng = np.random.default_rng(seed)
    embeddings = unit(rng.normal(size=(num_pins, 3)))
    popularity = (strength * rng.random(num_pins)).astype(np.float32)
    index = build(embeddings, tmp_path_factory.mktemp("scan"), popularity)
    scores = embeddings @ embeddings[0] + popularity
    expected = np.sort(scores[1:])[::-1][:5]
    pins, found = index.related(0, 5)
    np.testing.assert_allclose(found, expected, atol=1e-5 * (1 + strength))
    np.testing.assert_allclose(scores[pins], expected, atol=1e-5 * (1 + strength))
    vector = index.related_to_vector(embeddings[0] * np.float32(0.1), num_pins)[1]
    np.testing.assert_allclose(vector, np.sort(scores)[::-1], atol=1e-5 * (1 + strength))


def test_without_popularity_the_embeddings_are_stored_as_they_are(clock):
    """No column more, and the cosine is the score."""
    assert (clock.header.dim, clock.header.stored_dim, clock.header.has_popularity) == (2, 2, False)


@pytest.mark.parametrize("popularity", [[0, -0.1, 0], [0, np.nan, 0], [0, np.inf, 0], [0, 0]])
def test_popularity_that_cannot_be_added_is_refused(tmp_path, popularity):
    """Below zero, no number, or not one per pin; nothing is written."""
    with pytest.raises(InputError, match=r"first: pin 1|of shape \[2\]"):
        build(random_unit(3), tmp_path, popularity)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """An index of 400 pins, to be damaged in copies."""
    folder = tmp_path_factory.mktemp("sound")
    build(random_unit(400), folder)
    return folder


def copy_with(sound, folder, name, content) -> None:
    """A copy of the sound index in which the file `name` holds `content`."""
    for path in sound.iterdir():
        (folder / path.name).write_bytes(content if path.name == name else path.read_bytes())


@pytest.mark.parametrize("name", [INDEX, HEADER])
@pytest.mark.parametrize("seed", range(3))
def test_every_damaged_copy_is_refused(sound, tmp_path, name, seed):
    """Truncations, flipped bits, zeroed pages and added bytes: 50 of each file, none of them mapped."""
    rng, whole = np.random.default_rng(seed), (sound / name).read_bytes()
    for case in range(50):
        at = int(rng.integers(len(whole)))
        flipped = bytes([whole[at] ^ (1 << int(rng.integers(8)))])
        zeros = bytes(min(64, len(whole) - at))
        damaged = {
            0: whole[:at],
            1: whole[:at] + flipped + whole[at + 1 :],
            2: whole[:at] + zeros + whole[at + len(zeros) :],
            3: whole + whole[:at],
        }[case % 4]
        if damaged.rstrip() == whole.rstrip():
            continue  # zeros over zeros
        copy_with(sound, tmp_path, name, damaged)
        with pytest.raises(ArtifactDamagedError):
            PinIndex.open(tmp_path)


@pytest.mark.parametrize("name", [INDEX, HEADER])
def test_a_missing_file_is_refused(sound, tmp_path, name):
    """Half an index is none."""
    copy_with(sound, tmp_path, name, b"")
    (tmp_path / name).unlink()
    with pytest.raises(ArtifactDamagedError):
        PinIndex.open(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "7", "{}", '{"checksum": 1, "dim": 3}', "\xff"])
def test_a_header_that_is_none_is_refused(sound, tmp_path, text):
    """Whatever JSON it is."""
    copy_with(sound, tmp_path, HEADER, text.encode("latin-1"))
    with pytest.raises(ArtifactDamagedError, match=r"index\.json cannot be read"):
        PinIndex.open(tmp_path)


def test_a_header_with_another_dimension_is_refused(sound, tmp_path):
    """Annoy would read the same bytes as other vectors."""
    header = json.loads((sound / HEADER).read_text())
    copy_with(sound, tmp_path, HEADER, json.dumps({**header, "dim": 9}).encode())
    with pytest.raises(ArtifactDamagedError, match="does not match its own checksum"):
        PinIndex.open(tmp_path)
