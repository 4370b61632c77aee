"""Partitions fill their rows and no others; whatever the split, the files are the same bytes."""

import threading
import time

import numpy as np
import pytest
from slow_walks import random_graph

from pinsage.cluster.exchange import FilesInPlace, RowsInPlace, SharedFolders
from pinsage.errors import ArtifactDamagedError, InputError, PinSageError
from pinsage.settings.schema import WalkSettings
from pinsage.walks import partition
from pinsage.walks.neighborhood import Neighborhoods, top_neighbors
from pinsage.walks.partition import NAMES, allocate, check_coverage, num_parts, ranges, walk_partition

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
    graph, out = FilesInPlace(tmp_path / "graph"), RowsInPlace(folder)
    return folder, [walk_partition(graph, out, *rows, SETTINGS) for rows in ranges(101, count)]


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
    prepared = partition.prepare_graph(tmp_path / "graph")
    found, expected = Neighborhoods.open(folder), top_neighbors(prepared, np.arange(101, dtype=np.int32), SETTINGS)[0]
    np.testing.assert_array_equal(found.neighbors, expected.neighbors)
    np.testing.assert_array_equal(found.weights, expected.weights)


def test_counts_of_partitions_add_up(tmp_path, graph):
    """Neighbors, full rows and hard negatives as counted on the files."""
    folder, parts = walked(tmp_path, 3)
    weights, hard = np.load(folder / "weights.npy"), np.load(folder / "hard_negatives.npy")
    assert sum(part.neighbors for part in parts) == (weights > 0).sum()
    assert sum(part.full_rows for part in parts) == (weights > 0).all(axis=1).sum()
    assert sum(part.hard_negatives for part in parts) == (hard >= 0).sum()
    assert all(part.num_hops > 0 for part in parts[:2])


def test_whole_coverage_passes(tmp_path, graph):
    """Three partitions of all pins."""
    check_coverage(walked(tmp_path, 3)[1], 101)


@pytest.mark.parametrize(
    ("kept", "word"), [([1, 2], "Rows 0 to 33"), ([0, 2], "Rows 33 to 67"), ([0, 1], "67 of 101 rows")]
)
def test_a_missing_partition_is_named(tmp_path, graph, kept, word):
    """At the front, in the middle and at the end."""
    _, parts = walked(tmp_path, 3)
    with pytest.raises(PinSageError, match=word):
        check_coverage([parts[number] for number in kept], 101)


@pytest.mark.parametrize("rows", [(-1, 5), (90, 102), (7, 3)])
def test_rows_that_the_graph_does_not_have_are_refused(tmp_path, graph, rows):
    """Before compiled code, which checks no bounds, gets to see them."""
    with pytest.raises(InputError, match=rf"Pins {rows[0]} to {rows[1]} were .* the graph has 101"):
        walk_partition(FilesInPlace(tmp_path / "graph"), RowsInPlace(tmp_path), *rows, SETTINGS)


def test_a_graph_that_was_cut_short_is_named(tmp_path, graph):
    """As a worker finds it that opens it later than the parent did."""
    partition._open.cache_clear()
    path = tmp_path / "graph/pin_boards.npy"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ArtifactDamagedError, match=r"pin_boards\.npy"):
        walked(tmp_path, 1)


def test_threads_that_ask_at_once_share_one_graph(tmp_path, graph, monkeypatch):
    """It costs seconds and memory to make one ready."""
    opened = []

    def slowly_opened(folder):
        opened.append(folder)
        time.sleep(0.05)
        return graph

    partition._open.cache_clear()
    monkeypatch.setattr(partition.HopTables, "open", slowly_opened)
    threads = [threading.Thread(target=partition.prepare_graph, args=[tmp_path]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    partition._open.cache_clear()
    assert opened == [tmp_path]


@pytest.mark.parametrize(
    ("num_pins", "threads", "expected"), [(10_000_000, 2, 611), (100_000, 2, 16), (100_000, 64, 512), (0, 1, 8)]
)
def test_partitions_are_small_and_several_for_each_thread(num_pins, threads, expected):
    """Of 16,384 pins at most, eight per thread at least."""
    assert num_parts(num_pins, threads) == expected


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
    part = walk_partition(FilesInPlace(tmp_path / "graph"), RowsInPlace(folder), 0, 101, settings)
    SharedFolders().collect(folder, part.written)
    assert np.load(folder / "hard_negatives.npy").shape == (101, 0)
