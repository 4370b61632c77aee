"""Partitions fill their rows and no others; whatever the split, the files are the same bytes."""

import numpy as np
import pytest
from slow_walks import random_graph

from pinsage.errors import PinSageError
from pinsage.settings import WalkSettings
from pinsage.walks import partition
from pinsage.walks.neighborhood import Neighborhoods, top_neighbors
from pinsage.walks.partition import NAMES, allocate, check_coverage, ranges, walk_partition

SETTINGS = WalkSettings(num_neighbors=6, num_walks=40, num_hard_negatives=4, hard_negative_walks=60, seed=3)


@pytest.fixture
def graph(tmp_path):
    """A graph on disk, below `graph/`."""
    (tmp_path / "graph").mkdir()
    graph = random_graph(num_pins=101, num_boards=30, num_saves=400)
    graph.save(tmp_path / "graph")
    return graph


def walked(tmp_path, count, name="out"):
    folder = tmp_path / name
    folder.mkdir()
    allocate(folder, 101, SETTINGS)
    return folder, [walk_partition(tmp_path / "graph", folder, *rows, SETTINGS) for rows in ranges(101, count)]


def file_bytes(folder):
    return [(folder / f"{name}.npy").read_bytes() for name in NAMES]


def test_one_two_and_seven_partitions_write_the_same_bytes(tmp_path, graph):
    """Byte for byte, in all three files, and rows far from zero are not all padding."""
    folders = [walked(tmp_path, count, f"out{count}")[0] for count in (1, 2, 7)]
    assert file_bytes(folders[0]) == file_bytes(folders[1]) == file_bytes(folders[2])


def test_small_chunks_write_the_same_bytes(tmp_path, graph, monkeypatch):
    """A partition larger than what is walked at once."""
    whole, one = walked(tmp_path, 2, "whole")
    monkeypatch.setattr(partition, "_PINS_AT_ONCE", 9)
    chunked, two = walked(tmp_path, 2, "chunked")
    assert file_bytes(whole) == file_bytes(chunked)
    assert one == two


def test_rows_on_disk_are_the_neighborhoods_of_the_graph(tmp_path, graph):
    """What is written is what the library computes in one go."""
    folder, _ = walked(tmp_path, 3)
    found, expected = Neighborhoods.open(folder), top_neighbors(graph, np.arange(101, dtype=np.int32), SETTINGS)
    np.testing.assert_array_equal(found.neighbors, expected.neighbors)
    np.testing.assert_array_equal(found.weights, expected.weights)


def test_counts_of_partitions_add_up(tmp_path, graph):
    """Neighbors, full rows and hard negatives as counted on the files."""
    folder, parts = walked(tmp_path, 3)
    weights, hard = np.load(folder / "weights.npy"), np.load(folder / "hard_negatives.npy")
    assert sum(part.neighbors for part in parts) == (weights > 0).sum()
    assert sum(part.full_rows for part in parts) == (weights > 0).all(axis=1).sum()
    assert sum(part.hard_negatives for part in parts) == (hard >= 0).sum()
    assert all(part.traversals > 0 for part in parts[:2])


def test_whole_coverage_passes(tmp_path, graph):
    """Three partitions of all pins."""
    folder, parts = walked(tmp_path, 3)
    check_coverage(folder, parts, 101)


@pytest.mark.parametrize(
    ("kept", "word"), [([1, 2], "Rows 0 to 33"), ([0, 2], "Rows 33 to 67"), ([0, 1], "67 of 101 rows")]
)
def test_a_missing_partition_is_named(tmp_path, graph, kept, word):
    """At the front, in the middle and at the end."""
    folder, parts = walked(tmp_path, 3)
    with pytest.raises(PinSageError, match=word):
        check_coverage(folder, [parts[number] for number in kept], 101)


@pytest.mark.parametrize("name", NAMES)
def test_a_changed_row_is_noticed(tmp_path, graph, name):
    """A write that was lost between worker and parent, in any of the files."""
    folder, parts = walked(tmp_path, 3)
    array = np.lib.format.open_memmap(folder / f"{name}.npy", mode="r+")
    array[40, 0] += 1
    array.flush()
    with pytest.raises(PinSageError, match=r"Rows 33 to 67 .* are not those its worker wrote"):
        check_coverage(folder, parts, 101)


@pytest.mark.parametrize(("num_pins", "count"), [(10, 3), (3, 10), (1, 1), (0, 4), (7, 7)])
def test_ranges_cover_every_pin_once(num_pins, count):
    """In order, without gaps, none empty where there are pins, and of nearly equal length."""
    found = ranges(num_pins, count)
    assert [pin for begin, end in found for pin in range(begin, end)] == list(range(num_pins))
    lengths = [end - begin for begin, end in found]
    assert max(lengths) - min(lengths) <= 1


def test_no_hard_negatives_is_an_array_without_columns(tmp_path, graph):
    """H = 0 goes through allocation, writing and checking."""
    settings, folder = SETTINGS.model_copy(update={"num_hard_negatives": 0}), tmp_path / "none"
    folder.mkdir()
    allocate(folder, 101, settings)
    check_coverage(folder, [walk_partition(tmp_path / "graph", folder, 0, 101, settings)], 101)
    assert np.load(folder / "hard_negatives.npy").shape == (101, 0)
