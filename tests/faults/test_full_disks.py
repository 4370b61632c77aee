"""A disk that fills while arrays are written: an error with its number, and never the end of the process."""

import errno

import numpy as np
import pytest

from pinsage.errors import DiskFullError
from pinsage.features.corpus import corpus_with
from pinsage.features.text import WordVectors, write_text_features
from pinsage.graph.build import build_graph
from pinsage.store.arrays import create_array, save_array
from pinsage.store.artifact import FolderArtifacts
from pinsage.store.manifest import Manifest

RECIPE = Manifest("connect", "k", 1, {}, {}, {}, "0")


@pytest.mark.parametrize("write", [save_array, lambda path, array: create_array(path, array.dtype, array.shape)])
def test_an_array_too_large_for_its_disk_is_an_error_with_its_number(tiny_disk, write):
    """`np.save` would say how many bytes it asked for; a memory map without room would kill us later."""
    with pytest.raises(OSError, match="No space left") as caught:
        write(tiny_disk / "a.npy", np.zeros(10**6))
    assert caught.value.errno == errno.ENOSPC


def fill_graph(folder):
    rng = np.random.default_rng(0)
    pins, boards = rng.integers(0, 20_000, 200_000), rng.integers(0, 3000, 200_000)
    keys = np.unique(boards * 20_000 + pins)
    arguments = (keys % 20_000).astype(np.int32), (keys // 20_000).astype(np.int32)
    build_graph(*arguments, num_pins=20_000, num_boards=3000).save(folder)


def fill_text(folder):
    words = WordVectors(["pie"], np.array([2]), np.ones((1, 256), dtype=np.float32))
    write_text_features(corpus_with(words.vocabulary, [["pie"]] * 5000), words, folder)


@pytest.mark.parametrize("fill", [fill_graph, fill_text])
def test_a_full_disk_publishes_nothing_and_leaves_nothing(tiny_disk, fill):
    """One sentence; the draft is swept."""
    with (
        pytest.raises(DiskFullError, match=r"^The disk of \S+ on \S+ is full .*; nothing was published\. Free space"),
        FolderArtifacts(tiny_disk).publish(RECIPE) as draft,
    ):
        fill(draft.folder)
    assert [path.name for path in tiny_disk.rglob("*")] == ["connect"]
