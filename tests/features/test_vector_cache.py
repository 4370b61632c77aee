"""Vectors by the content of pictures."""

import numpy as np
import pytest

from pinsage.features.vector_cache import VectorCache

PICTURES = [f"picture {number}".encode() for number in range(300)]
VECTORS = np.arange(600, dtype=np.float32).reshape(300, 2)


@pytest.fixture
def folder(tmp_path):
    """A cache of 300 pictures in two files; among so many digests some end in a zero byte."""
    cache = VectorCache(tmp_path / "cache", dim=2)
    cache.add(PICTURES[:200], VECTORS[:200])
    cache.flush()
    cache.add(PICTURES[200:], VECTORS[200:])
    cache.flush()
    return tmp_path / "cache"


def test_every_picture_gets_its_own_vector_back(folder):
    """Across files, in any order, and an unknown picture is not found."""
    order = np.random.default_rng(0).permutation(300)
    cache = VectorCache(folder, dim=2)
    found, vectors = cache.find([*(PICTURES[row] for row in order), b"never seen"])
    assert found.tolist() == [True] * 300 + [False]
    assert np.array_equal(vectors[:300], VECTORS[order])
    assert vectors[300].tolist() == [0, 0]
    assert (len(cache), cache.damaged_files) == (300, 0)


def test_an_empty_cache_finds_nothing(tmp_path):
    """Also when nothing is asked; and flushing nothing writes nothing."""
    cache = VectorCache(tmp_path, dim=2)
    cache.flush()
    assert cache.find([b"x"])[0].tolist() == [False]
    assert cache.find([])[1].shape == (0, 2)
    assert list(tmp_path.iterdir()) == []


def test_a_picture_added_twice_is_kept_once(tmp_path):
    """Two pins with the same picture in one run."""
    cache = VectorCache(tmp_path, dim=2)
    cache.add([b"same", b"same"], np.ones((2, 2), dtype=np.float32))
    cache.flush()
    assert len(VectorCache(tmp_path, dim=2)) == 1


def test_the_same_content_from_two_runs_is_one_file(folder):
    """A file is named by its content, so runs at the same time do not collide."""
    before = sorted(path.name for path in folder.iterdir())
    cache = VectorCache(folder, dim=2)
    cache.add(PICTURES[:200], VECTORS[:200])
    cache.flush()
    assert sorted(path.name for path in folder.iterdir()) == before


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "rename"])
def test_a_damaged_file_is_counted_and_never_read(folder, damage, caplog):
    """One flipped bit, a cut, an empty file or a wrong name: its 200 pictures are unknown again, the others are not."""
    largest = max(folder.iterdir(), key=lambda path: path.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[-1] ^= 1 if damage == "flip" else 0
    largest.write_bytes(content[: {"cut": -5, "empty": 0}.get(damage, len(content))])
    if damage == "rename":
        largest.rename(folder / f"{'0' * 64}.npy")
    cache = VectorCache(folder, dim=2)
    assert cache.find(PICTURES)[0].tolist() == [False] * 200 + [True] * 100
    assert cache.damaged_files == 1
    assert "Delete it" in caplog.text


def test_vectors_of_another_dimension_are_not_read(folder):
    """An intact file of another encoder in the wrong folder is as bad as a damaged one."""
    cache = VectorCache(folder, dim=3)
    assert (len(cache), cache.damaged_files) == (0, 2)


def test_enough_additions_reach_the_disk_without_a_flush(tmp_path, monkeypatch):
    """A run that is killed keeps what it has encoded so far."""
    monkeypatch.setattr("pinsage.features.vector_cache.FLUSH_BYTES", 100)
    cache = VectorCache(tmp_path, dim=2)
    cache.add(PICTURES[:3], VECTORS[:3])
    assert len(VectorCache(tmp_path, dim=2)) == 3
    assert len(cache) == 0
