"""The exact scan gives what sorting all pins gives, the lower pin first among equals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from index_world import random_unit, unit

from pinsage.errors import InputError, UnknownPinError
from pinsage.index.exact import ExactScan, kth_scores


@given(st.integers(1, 40), st.integers(0, 12), st.booleans(), st.integers(0, 2**31))
@settings(max_examples=50, deadline=None)
def test_the_scan_is_a_sort(num_pins, k, has_twins, seed):
    """By falling score, then by pin, without the query."""
    rng = np.random.default_rng(seed)
    vectors = np.add(rng.integers(-1, 2, (num_pins, 3)), [0.5, 0, 0]) if has_twins else rng.normal(size=(num_pins, 3))
    embeddings, popularity = unit(vectors), rng.integers(0, 3, num_pins).astype(np.float32)
    pins, found = ExactScan(embeddings, popularity).related(0, k)
    scores = embeddings @ embeddings[0] + popularity
    assert pins.tolist() == sorted(range(1, num_pins), key=lambda pin: (-scores[pin], pin))[:k]
    np.testing.assert_array_equal(found, scores[pins])


def test_a_vector_from_outside_is_scaled():
    """Its length does not matter, and no pin is left out."""
    embeddings = unit([[1, 0], [0, 1], [-1, 0]])
    pins, scores = ExactScan(embeddings, np.zeros(3, np.float32)).related_to_vector(np.array([0, 7], np.float32), 9)
    assert (pins.tolist(), scores.tolist()) == ([1, 0, 2], [1, 0, 0])


def test_queries_that_cannot_be_looked_up_are_refused():
    """With the sentences of the index."""
    scan = ExactScan(random_unit(5), np.zeros(5, np.float32))
    with pytest.raises(UnknownPinError, match="Pin 5 is not in the index"):
        scan.related(5, 1)
    with pytest.raises(InputError, match="cannot be looked up"):
        scan.related_to_vector(np.full(8, np.nan, np.float32), 1)


def test_the_tenth_score_is_the_tenth_of_a_sort(monkeypatch):
    """In whatever chunks the queries come."""
    embeddings, popularity = random_unit(50), np.linspace(0, 1, 50, dtype=np.float32)
    monkeypatch.setattr("pinsage.index.exact.CHUNK_BYTES", 4 * 50 * 3)
    found = kth_scores(embeddings, popularity, np.arange(50), 10)
    scan = ExactScan(embeddings, popularity)
    np.testing.assert_allclose(found, [scan.related(pin, 10)[1][-1] for pin in range(50)], rtol=1e-6)
