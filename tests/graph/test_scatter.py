"""Grouping by counting equals grouping by a stable sort, however many buckets the rows make."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinsage.graph import scatter
from pinsage.graph.scatter import are_ascending, group_by_key, rows_of, run_offsets


def slow_grouped(keys, values, num_rows):
    """Offsets and values by numpy's stable sort."""
    counts = np.bincount(keys, minlength=num_rows)
    return np.concatenate([[0], np.cumsum(counts)]), values[np.argsort(keys, kind="stable")]


@given(st.integers(0, 40), st.integers(0, 200), st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_grouped_is_a_stable_sort(num_rows, size, seed):
    """Rows without values included; values of a row keep their order."""
    rng = np.random.default_rng(seed)
    keys = rng.integers(0, max(num_rows, 1), size if num_rows else 0).astype(np.int32)
    values = rng.integers(-(2**31), 2**31, len(keys)).astype(np.int32)
    for fast, slow in zip(group_by_key(keys, values, num_rows), slow_grouped(keys, values, num_rows), strict=True):
        assert fast.tolist() == slow.tolist()


@pytest.mark.parametrize("num_rows", [1, 511, 512, 513, 65_536, 200_001, 2_000_000])
def test_any_number_of_rows_is_dealt_into_buckets(num_rows):
    """Around each border of the width of a bucket."""
    keys = np.random.default_rng(0).integers(0, num_rows, 3000).astype(np.int32)
    keys[:2] = 0, num_rows - 1
    values = np.arange(3000, dtype=np.int32)
    offsets, out = group_by_key(keys, values, num_rows)
    assert out.tolist() == slow_grouped(keys, values, num_rows)[1].tolist()
    assert np.array_equal(np.diff(offsets), np.bincount(keys, minlength=num_rows))


def test_a_bucket_never_outgrows_its_places(monkeypatch):
    """With a planted limit of 4 rows a bucket, as 2**16 is the limit of uint16."""
    monkeypatch.setattr(scatter, "MOST_BITS", 2)
    keys = np.random.default_rng(0).integers(0, 5000, 800).astype(np.int32)
    values = np.arange(800, dtype=np.int32)
    assert group_by_key(keys, values, 5000)[1].tolist() == slow_grouped(keys, values, 5000)[1].tolist()


@given(st.lists(st.integers(0, 6), max_size=20).map(sorted))
@settings(max_examples=50, deadline=None)
def test_offsets_of_ascending_rows_lead_back_to_them(rows):
    """Rows without values before, between and after the others."""
    keys = np.array(rows, np.int32)
    offsets = run_offsets(keys, 9)
    assert np.array_equal(np.diff(offsets), np.bincount(keys, minlength=9))
    assert rows_of(offsets).tolist() == rows


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=6))
@settings(max_examples=100, deadline=None)
def test_ascending_is_what_sorting_leaves_alone(pairs):
    """By the first column, then by the second; equal pairs may follow each other."""
    first, second = np.array(pairs, np.int32).reshape(-1, 2).T.copy()
    assert are_ascending(first, second) == (pairs == sorted(pairs))
