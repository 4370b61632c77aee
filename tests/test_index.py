"""The index: exact on small sets, honest about its recall, and never a crash on a damaged file."""

import json
import subprocess
import sys

import numpy as np
import pytest

from pinsage.errors import ArtifactDamagedError, InputError, UnknownPinError
from pinsage.index import HEADER, INDEX, PinIndex, Recall, checked_recall, measured_recall
from pinsage.settings import IndexSettings

SETTINGS = IndexSettings(num_trees=5, search_k=1000)


def unit(vectors) -> np.ndarray:
    """Rows scaled to length 1, float32."""
    vectors = np.asarray(vectors, np.float64)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def random_unit(num_pins, dim=8, seed=0) -> np.ndarray:
    """Random directions, float32 [P, d]."""
    return unit(np.random.default_rng(seed).normal(size=(num_pins, dim)))


@pytest.fixture
def clock(tmp_path) -> PinIndex:
    """Four pins on a circle: 0 at noon, 1 a little after, 2 at a right angle, 3 opposite."""
    return PinIndex.build(unit([[1, 0], [0.9, 0.1], [0, 1], [-1, 0]]), tmp_path, SETTINGS)


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
    index = PinIndex.build(unit([[1, 0]] * 30 + [[0, 1]]), tmp_path, SETTINGS)
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
        PinIndex.build(embeddings, tmp_path, SETTINGS)
    assert list(tmp_path.iterdir()) == []


def test_no_embeddings_are_refused(tmp_path):
    """An empty catalog has no index."""
    with pytest.raises(InputError, match=r"shape \[0, 8\]"):
        PinIndex.build(np.empty((0, 8), np.float32), tmp_path, SETTINGS)


BUILD = """
import sys, numpy as np
from pathlib import Path
from pinsage.index import PinIndex
from pinsage.settings import IndexSettings
PinIndex.build(np.load(sys.argv[1]), Path(sys.argv[2]), IndexSettings(num_trees=5, search_k=1000))
"""


def test_another_process_builds_the_same_bytes(tmp_path):
    """Seed before the first item and one job: the file is a function of its input."""
    embeddings = random_unit(500)
    np.save(tmp_path / "e.npy", embeddings)
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    PinIndex.build(embeddings, tmp_path / "here", SETTINGS)
    subprocess.run([sys.executable, "-c", BUILD, tmp_path / "e.npy", tmp_path / "there"], check=True)
    for name in (INDEX, HEADER):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()


def test_a_reader_of_the_old_index_is_not_disturbed_by_a_new_one(tmp_path):
    """Building again replaces the file by a rename; what was mapped stays what it was."""
    first = PinIndex.build(random_unit(300), tmp_path, SETTINGS)
    before = first.related(7, 10)[0].tolist()
    PinIndex.build(random_unit(20, seed=9), tmp_path, SETTINGS)
    assert first.related(7, 10)[0].tolist() == before
    assert PinIndex.open(tmp_path).num_pins == 20
    assert sorted(path.name for path in tmp_path.iterdir()) == [INDEX, HEADER]


def test_recall_is_perfect_on_a_tiny_set(tmp_path):
    """With search_k above the number of nodes nothing can be missed, and the table is in order."""
    embeddings = random_unit(60)
    table = measured_recall(PinIndex.build(embeddings, tmp_path, SETTINGS), embeddings, SETTINGS)
    assert [row.search_k for row in table] == [50, 500, 1000, 2000, 4000]
    assert [row.recall_at_10 for row in table[1:]] == [1.0] * 4


def test_recall_agrees_with_counting_by_hand(tmp_path):
    """One tree and a tiny search_k miss much; the figure is the one that set intersection gives."""
    embeddings = random_unit(400, dim=32)
    settings = IndexSettings(num_trees=1, search_k=20, recall_queries=40)
    index = PinIndex.build(embeddings, tmp_path, settings)
    row = next(row for row in measured_recall(index, embeddings, settings) if row.search_k == 20)
    queries = np.random.default_rng(0).choice(400, 40, replace=False)
    found = 0
    for query in queries:
        exact = [pin for pin in np.argsort(-(embeddings @ embeddings[query])) if pin != query][:10]
        found += len(set(exact) & set(index.related(int(query), 10)[0].tolist()))
    assert row.recall_at_10 == pytest.approx(found / 400)
    assert row.recall_at_10 < 0.9


@pytest.mark.parametrize("num_pins", [1, 2, 5])
def test_recall_of_a_catalog_smaller_than_ten(tmp_path, num_pins):
    """All others found is a recall of 1."""
    embeddings = random_unit(num_pins)
    table = measured_recall(PinIndex.build(embeddings, tmp_path, SETTINGS), embeddings, SETTINGS)
    assert {row.recall_at_10 for row in table} == {1.0}


def test_a_low_recall_stops_with_advice():
    """The sentence holds both values and the search_k that would do."""
    table = [Recall(50, 0.5, 1.0), Recall(100, 0.8, 1.0), Recall(200, 0.95, 1.0)]
    with pytest.raises(InputError, match=r"0\.800 at search_k 100, below .* 0\.9\. Raise index\.search_k to 200"):
        checked_recall(table, IndexSettings(search_k=100))
    with pytest.raises(InputError, match=r"Raise index\.num_trees and index\.search_k"):
        checked_recall(table, IndexSettings(search_k=100, min_recall=0.99))
    assert checked_recall(table, IndexSettings(search_k=200)).recall_at_10 == 0.95


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """An index of 400 pins, to be damaged in copies."""
    folder = tmp_path_factory.mktemp("sound")
    PinIndex.build(random_unit(400), folder, SETTINGS)
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
