"""Edges come out in order, each once, whatever the order in which they were dealt."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinsage.catalog import edge_order
from pinsage.catalog.edge_order import UNKNOWN, EdgeBuckets, ReadEdges
from pinsage.errors import DatasetError, PinSageError

TIMES = st.sampled_from([UNKNOWN, -5, 0, 3, 2**62])
ROWS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9), TIMES, st.sampled_from([0.5, 1.0, 2.0])), max_size=120)


@pytest.fixture(autouse=True)
def many_small_buckets(monkeypatch):
    """A bucket for every few edges, so that small worlds take the paths of large ones."""
    monkeypatch.setattr(edge_order, "BUCKET_EDGES", 16)


def buckets_of(rows: list[tuple], *, num_left: int = 6, num_right: int = 10, batch: int = 7) -> EdgeBuckets:
    buckets = EdgeBuckets(num_left, num_right, len(rows))
    for start in range(0, len(rows), batch):
        buckets.deal(read(rows[start : start + batch], start), np.ones(len(rows[start : start + batch]), bool))
    return buckets


def read(rows: list[tuple], start: int = 0) -> ReadEdges:
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    types = (np.int32, np.int32, np.int64, np.float32)
    return ReadEdges(*(np.array(column, dtype) for column, dtype in zip(columns, types, strict=True)), start)


def listed(parts) -> list[tuple]:
    return [(int(edge["left"]), int(edge["right"]), int(edge["time"]), float(edge["weight"])) for edge in parts]


def merit(row: tuple) -> tuple:
    """Of edges with the same ends the one with the smallest is kept: a known time, then the earliest, the heaviest."""
    return row[2] == UNKNOWN, row[2], -row[3]


@given(ROWS)
@settings(max_examples=120, deadline=None)
def test_unique_edges_are_those_of_a_sort(rows):
    """By left, time (unknown first) and right; of the same ends the best; what is left over repeats one."""
    best: dict[tuple[int, int], tuple] = {}
    for row in rows:
        best[row[:2]] = min(best.get(row[:2], row), row, key=merit)
    found = list(buckets_of(rows).unique())
    kept = [edge for edges, _ in found for edge in listed(edges)]
    assert kept == sorted(best.values(), key=lambda row: (row[0], row[2], row[1]))
    assert sorted(kept + [edge for _, again in found for edge in listed(again)]) == sorted(rows)


@given(ROWS)
@settings(max_examples=60, deadline=None)
def test_all_edges_are_those_of_a_sort(rows):
    """By left, right and time; repeated ones stay."""
    found = [edge for edges in buckets_of(rows).all() for edge in listed(edges)]
    assert [edge[:3] for edge in found] == sorted(row[:3] for row in rows)
    assert sorted(found) == sorted(rows)


def test_a_long_board_is_merged_from_many_runs():
    """100,000 edges of one left node in a random order, and 20,000 of its edges a second time."""
    rng = np.random.default_rng(0)
    right, times = rng.permutation(100_000).astype(np.int32), rng.integers(0, 1000, 100_000)
    edges = ReadEdges(np.zeros(120_000, np.int32), np.append(right, right[:20_000]),
                      np.append(times, times[:20_000] + 1), np.ones(120_000, np.float32), 0)  # fmt: skip
    buckets = EdgeBuckets(1, 100_000, 120_000)
    buckets.deal(edges, np.ones(120_000, bool))
    ((kept, again),) = buckets.unique()
    order = np.lexsort((right, times))
    assert (kept["right"] == right[order]).all()
    assert (kept["time"] == times[order]).all()
    assert sorted(again["row"]) == list(range(100_000, 120_000))


def test_an_old_edge_stays_and_takes_the_earlier_time():
    """Rows below `num_old` come from an earlier catalog: the new row is the one that repeats, at its own time."""
    rows = [(0, 1, 50, 1.0), (0, 1, 40, 1.0), (0, 1, 30, 1.0), (0, 1, 60, 1.0)]
    ((kept, again),) = buckets_of(rows).unique(num_old=1)
    assert (listed(kept), kept["row"].tolist()) == ([(0, 1, 30, 1.0)], [0])
    assert list(zip(again["row"].tolist(), again["time"].tolist(), strict=True)) == [(1, 40), (2, 30), (3, 60)]


def test_of_equal_edges_the_first_is_kept():
    """So that the row that is named as repeated does not depend on chance."""
    ((_, again),) = buckets_of([(0, 1, 5, 1.0)] * 3).unique()
    assert again["row"].tolist() == [1, 2]


def test_edges_that_are_not_chosen_are_not_looked_at():
    """Their nodes are unknown."""
    buckets = EdgeBuckets(1, 1, 2)
    buckets.deal(read([(0, 0, 1, 1.0), (-1, -1, 2, 1.0)]), np.array([True, False]))
    assert [listed(edges) for edges, _ in buckets.unique()] == [[(0, 0, 1, 1.0)]]


@pytest.mark.parametrize("row", [(-1, 0, 0, 1.0), (6, 0, 0, 1.0), (0, -1, 0, 1.0), (0, 10, 0, 1.0)])
def test_a_node_out_of_bounds_is_refused_before_the_kernel(row):
    """Below and above, left and right."""
    with pytest.raises(PinSageError, match="1 edges do not fit into room for 1 between 6 and 10 nodes"):
        buckets_of([row])


def test_more_edges_than_there_is_room_for_are_refused():
    """A table that grew while it was read."""
    buckets = buckets_of([(0, 1, 0, 1.0)])
    with pytest.raises(PinSageError, match="2 edges do not fit into room for 1"):
        buckets.deal(read([(0, 2, 0, 1.0)]), np.ones(1, bool))


def test_no_edges_make_no_edges():
    """Zero saves of zero boards."""
    assert [len(edges) for edges, _ in EdgeBuckets(0, 0, 0).unique()] == [0]


def test_more_rows_than_can_be_numbered_are_refused():
    """A row number has 32 bits."""
    with pytest.raises(DatasetError, match="4,294,967,297 rows are more than 4,294,967,296"):
        EdgeBuckets(1, 1, 2**32 + 1)
