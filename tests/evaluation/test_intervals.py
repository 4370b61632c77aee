"""Bootstrap intervals against what is known of means."""

import numpy as np
import pytest

from pinsage.evaluation import intervals
from pinsage.evaluation.intervals import interval, resample


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution():
    """1,000 values of one query each: 1.96 standard errors on either side."""
    values = np.random.default_rng(0).normal(size=(1000, 1))
    low, high = interval(resample(values, np.ones_like(values), seed=1, num_draws=4000))
    error = values.std() / np.sqrt(1000)
    assert low[0] == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error)
    assert high[0] == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error)


def test_the_pairs_of_a_query_are_drawn_together():
    """A hundred queries of fifty equal pairs are a hundred observations, not five thousand."""
    hits = np.random.default_rng(0).integers(0, 2, (100, 1)).astype(float)
    together = np.ptp(interval(resample(50 * hits, np.full((100, 1), 50.0), seed=0)))
    apart = np.ptp(interval(resample(np.repeat(hits, 50, axis=0), np.ones((5000, 1)), seed=0)))
    assert together == pytest.approx(np.sqrt(50) * apart, rel=0.2)


def test_the_same_seed_draws_the_same_queries():
    """So that a method minus itself plus 1 is 1 in every draw, and other figures beside it change nothing."""
    values, ones = np.random.default_rng(0).random((30, 2)), np.ones((30, 2))
    first, second = resample(values, ones, seed=3), resample(values[:, :1] + 1, ones[:, :1], seed=3)
    np.testing.assert_allclose(second[:, 0] - first[:, 0], 1)
    assert not np.array_equal(first, resample(values, ones, seed=4))


def test_chunks_change_no_draw(monkeypatch):
    """Draws by draws or all at once."""
    values = np.random.default_rng(0).random((30, 1))
    whole = resample(values, np.ones_like(values), seed=0, num_draws=50)
    monkeypatch.setattr(intervals, "CHUNK_BYTES", 1)
    np.testing.assert_allclose(resample(values, np.ones_like(values), seed=0, num_draws=50), whole)


def test_draws_without_any_value_are_left_out():
    """One of five queries has a pair: the draws that miss it say nothing, the others say its value."""
    sums, counts = np.array([[0.25], [0], [0], [0], [0]]), np.array([[1.0], [0], [0], [0], [0]])
    draws = resample(sums, counts, seed=0)
    assert np.isnan(draws).any()
    assert [end[0] for end in interval(draws)] == [0.25, 0.25]
