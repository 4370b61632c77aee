"""The formulas, against figures worked out by hand and against ranx."""

import json
import math
import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from pinsage.evaluation.metrics import (
    coverage,
    discounts,
    excess_kurtosis,
    hit_rate,
    ndcg,
    popularity_percentiles,
    recall,
    reciprocal_ranks,
    scaled_mrr,
)
from pinsage.evaluation.pin_lists import PinLists
from pinsage.evaluation.ranking import Targets, query_chunks, rank_chunks, ranks
from pinsage.pairs.pairs import Pairs

RANKS = np.array([1, 10, 10.5, 100, 101, 200, 201], np.float64)


@pytest.mark.parametrize(("k", "rate"), [(1, 1 / 7), (10, 2 / 7), (11, 3 / 7), (200, 6 / 7), (1000, 1)])
def test_hit_rate_counts_ranks_up_to_k(k, rate):
    """Rank k itself is a hit, half a rank more is none."""
    assert hit_rate(RANKS, k) == pytest.approx(rate)


def test_scaled_mrr_gives_steps_of_the_scale():
    """Four ranks up to 100 count 1, two up to 200 a half, one a third."""
    assert scaled_mrr(RANKS, 100) == pytest.approx((4 + 2 / 2 + 1 / 3) / 7)


def test_a_scale_of_one_is_the_plain_reciprocal_rank():
    """As everybody knows it; half ranks are not rounded."""
    assert reciprocal_ranks(np.array([1, 2.5, 4])).tolist() == [1, 0.4, 0.25]


def test_discounts_end_at_k():
    """1/log2(1 + rank)."""
    assert discounts(np.array([1, 3, 10, 11]), 10).tolist() == [1, 0.5, 1 / math.log2(11), 0]


def test_recall_and_ndcg_take_the_positives_of_a_row_together():
    """Row 0 finds one of two at rank 1, row 1 has none, row 2 finds both, best first."""
    positives = PinLists(np.array([0, 2, 2, 4]), np.array([7, 8, 3, 4], np.int32))
    found = np.array([1, 30, 2, 1], np.float64)
    assert recall(found, positives, 20).tolist() == [0.5, 0, 1]
    np.testing.assert_allclose(ndcg(found, positives, 20), [1 / (1 + 1 / math.log2(3)), 0, 1])


def test_more_positives_than_places_can_still_be_perfect():
    """LightGCN's best order has min(positives, k) hits."""
    positives = PinLists(np.array([0, 5]), np.arange(5, dtype=np.int32))
    assert ndcg(np.arange(1.0, 6), positives, 2).tolist() == [1]


def test_no_pairs_have_no_metric():
    """Not a zero."""
    assert math.isnan(hit_rate(np.empty(0), 10))
    assert math.isnan(scaled_mrr(np.empty(0)))


def test_coverage_counts_each_pin_once():
    """Three of ten pins are ever shown."""
    assert coverage(np.array([[1, 2], [2, -1], [4, 1]], np.int32), 10) == 0.3


def test_percentiles_of_equal_degrees_are_equal():
    """Degrees 0, 3, 3, 9."""
    assert popularity_percentiles(np.array([3, 0, 9, 3])).tolist() == [0.5, 0.125, 0.875, 0.5]


def figures_of_ranx(relevant, run, metrics):
    """By another process, where ranx need not be compiled: that takes a minute, its work here milliseconds."""
    program = (
        "import json, ranx, sys\n"
        "relevant, run, metrics = json.load(sys.stdin)\n"
        "print(json.dumps(ranx.evaluate(ranx.Qrels(relevant), ranx.Run(run), metrics)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps([relevant, run, metrics]), capture_output=True, text=True,
        check=True, env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
    )  # fmt: skip
    return json.loads(done.stdout)


@pytest.mark.skipif(find_spec("ranx") is None, reason="ranx is not installed (requirements-dev.txt)")
def test_figures_are_those_of_ranx():
    """Hit rate, MRR, NDCG@10 and recall@20 on random scores, to the ninth digit."""
    rng = np.random.default_rng(0)
    scores = rng.permuted(np.tile(np.arange(60, dtype=np.float32), (25, 1)), axis=1)
    relevant = [
        rng.choice(np.setdiff1d(np.arange(60), query), rng.integers(1, 9), replace=False) for query in range(25)
    ]

    class Scorer:
        num_pins = 60

        def scores(self, queries):
            return scores[queries].copy()

    run = {f"q{q}": {f"d{p}": float(scores[q, p]) for p in range(60) if p != q} for q in range(25)}
    pairs = Pairs(np.repeat(np.arange(25), [len(row) for row in relevant]).astype(np.int32), np.concatenate(relevant))
    single = {f"q{q}-{p}": {f"d{p}": 1} for q, p in zip(pairs.query, pairs.positive, strict=True)}
    run_of_pairs = {name: run[name.split("-")[0]] for name in single}
    of_pairs = figures_of_ranx(single, run_of_pairs, ["hit_rate@10", "mrr", "ndcg@10"])
    found = ranks(Scorer(), pairs)
    ours = {"hit_rate@10": hit_rate(found, 10), "mrr": scaled_mrr(found, 1), "ndcg@10": discounts(found, 10).mean()}
    assert ours == pytest.approx(of_pairs, abs=1e-9)
    together = {f"q{q}": {f"d{p}": 1 for p in row} for q, row in enumerate(relevant)}
    of_queries = figures_of_ranx(together, run, ["recall@20", "ndcg@20"])
    positives = PinLists.of(pairs.query, pairs.positive, 25)
    (ranking,) = rank_chunks(query_chunks(Scorer(), np.arange(25, dtype=np.int32)), [Targets(positives)])
    ours = {"recall@20": recall(ranking.ranks, positives, 20), "ndcg@20": ndcg(ranking.ranks, positives, 20)}
    assert {name: values.mean() for name, values in ours.items()} == pytest.approx(of_queries, abs=1e-9)


def test_kurtosis_of_known_distributions():
    """A fair coin has -2, a uniform -1.2, a normal 0; equal values count as 0."""
    rng = np.random.default_rng(0)
    assert excess_kurtosis(np.array([0, 1] * 50, np.float32)) == pytest.approx(-2)
    assert excess_kurtosis(rng.uniform(size=100_000).astype(np.float32)) == pytest.approx(-1.2, abs=0.02)
    assert excess_kurtosis(rng.normal(size=100_000).astype(np.float32)) == pytest.approx(0, abs=0.06)
    assert excess_kurtosis(np.ones(9, np.float32)) == 0
