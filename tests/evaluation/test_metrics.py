"""The formulas of §4.2, against figures worked out by hand."""

import numpy as np
import pytest

from pinsage.errors import InputError
from pinsage.evaluation.metrics import excess_kurtosis, hit_rate, scaled_mrr

RANKS = np.array([1, 10, 11, 100, 101, 200, 201], np.int64)


@pytest.mark.parametrize(("k", "rate"), [(1, 1 / 7), (10, 2 / 7), (11, 3 / 7), (200, 6 / 7), (1000, 1)])
def test_hit_rate_counts_ranks_up_to_k(k, rate):
    """Rank k itself is a hit."""
    assert hit_rate(RANKS, k) == pytest.approx(rate)


def test_scaled_mrr_gives_steps_of_the_scale():
    """Four ranks up to 100 count 1, two up to 200 a half, one a third."""
    assert scaled_mrr(RANKS, 100) == pytest.approx((4 + 2 / 2 + 1 / 3) / 7)


def test_a_scale_of_one_is_the_plain_mrr():
    """Mean reciprocal rank as everybody knows it."""
    assert scaled_mrr(np.array([1, 2, 4], np.int64), 1) == pytest.approx((1 + 1 / 2 + 1 / 4) / 3)


@pytest.mark.parametrize("metric", [lambda ranks: hit_rate(ranks, 10), scaled_mrr])
def test_no_pairs_have_no_metric(metric):
    """A mean of nothing is an error, not NaN."""
    with pytest.raises(InputError, match="0 pairs have no metrics"):
        metric(np.empty(0, np.int64))


def test_kurtosis_of_known_distributions():
    """A fair coin has -2, a uniform -1.2, a normal 0; equal values count as 0."""
    rng = np.random.default_rng(0)
    assert excess_kurtosis(np.array([0, 1] * 50, np.float32)) == pytest.approx(-2)
    assert excess_kurtosis(rng.uniform(size=100_000).astype(np.float32)) == pytest.approx(-1.2, abs=0.02)
    assert excess_kurtosis(rng.normal(size=100_000).astype(np.float32)) == pytest.approx(0, abs=0.06)
    assert excess_kurtosis(np.ones(9, np.float32)) == 0
