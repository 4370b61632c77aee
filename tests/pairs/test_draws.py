"""Draws hang on ids and on nothing else, and are spread evenly."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinsage.pairs.draws import draw_by_hash, id_hashes

ALL = 2**64 - 1


def slow_mixed(value: int) -> int:
    """The finalizer of splitmix64, in whole numbers."""
    value = (value + 0x9E3779B97F4A7C15) & ALL
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & ALL
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & ALL
    return value ^ (value >> 31)


def slow_hash(text: str) -> int:
    """Eight bytes at a time."""
    data = text.encode()
    state = slow_mixed(len(data))
    for begin in range(0, len(data), 8):
        state = slow_mixed(state ^ int.from_bytes(data[begin : begin + 8], "little"))
    return state


@given(st.lists(st.text(max_size=20), max_size=8), st.integers(0, 3), st.integers(0, 3))
@settings(max_examples=100, deadline=None)
def test_ids_are_hashed_byte_by_byte(texts, skipped, kept):
    """The compiled hash equals the plain one, for texts of every length, slices of arrays and chunks."""
    slow = [slow_hash(text) for text in texts]
    assert id_hashes(pa.array(texts, pa.string())).tolist() == slow
    assert id_hashes(pa.array(texts, pa.large_string()).slice(skipped, kept)).tolist() == slow[skipped:][:kept]
    chunks = pa.chunked_array([texts[:kept], texts[kept:]], pa.string())
    assert id_hashes(chunks).tolist() == slow


@given(st.integers(0, ALL), st.integers(0, ALL), st.integers(0, 2**31 - 1))
@settings(max_examples=100, deadline=None)
def test_a_draw_mixes_both_hashes_and_the_seed(first, second, seed):
    """Against whole numbers."""
    draw = draw_by_hash(np.array([first], np.uint64), np.array([second], np.uint64), seed)
    assert draw.tolist() == [slow_mixed(slow_mixed(slow_mixed(seed) ^ first) ^ second)]


@pytest.mark.parametrize("width", [1, 9])
def test_draws_are_spread_evenly(width):
    """100,000 draws in ten bins, for ids that differ in one digit, in one word of bytes or in two."""
    hashes = id_hashes(pa.array([f"p{number:0{width}}" for number in range(100_000)]))
    draws = draw_by_hash(hashes, np.roll(hashes, 1), 0) / 2.0**64
    bins = np.bincount((draws * 10).astype(int), minlength=10)
    assert len(bins) == 10
    assert bins.min() > 9_600
    assert bins.max() < 10_400
