"""From methods and held-out saves to the tables of figures."""

import logging

import numpy as np
import pytest

from pinsage.evaluation.baselines.similarity import Similarity
from pinsage.evaluation.comparison import Difference, SliceMetric, compare, metric_table, spread
from pinsage.evaluation.views import split_views
from pinsage.graph.build import build_graph
from pinsage.pairs.pairs import HeldOutPairs, Pairs
from pinsage.settings.schema import EvaluateSettings

SETTINGS = EvaluateSettings(ranks=[1, 3], mrr_scale=2)
# Pins 0 to 28 on one board, 5 on a second one; 29 is cold. (0, 1) is a training pair.
GRAPH = build_graph(np.array([*range(29), 5], np.int32), np.array([0] * 29 + [1], np.int32), num_pins=30, num_boards=2)
TRAIN = Pairs(np.array([1], np.int32), np.array([0], np.int32))
HELD_OUT = HeldOutPairs(*np.array([[0, 1, 1], [0, 2, 1], [0, 4, 1], [5, 29, 1]], np.int32).T.copy())


class Line:
    """Pins on a line: the nearer, the better, so ranks can be counted on fingers."""

    num_pins = 30

    def __init__(self, direction=1):
        self.direction = direction

    def scores(self, queries):
        return -self.direction * np.abs(np.arange(30, dtype=np.float32)[None] - queries[:, None])


def compared(scorers, held_out=HELD_OUT):
    """The comparison on one split."""
    return compare(scorers, [split_views("test", held_out, TRAIN, GRAPH, SETTINGS)], GRAPH, SETTINGS)


def values(metrics, view):
    """value by metric, of one view."""
    return {row.metric: row.value for row in metrics if row.view == view}


def test_the_figures_of_a_line_are_those_counted_by_hand():
    """From 0 the rank of pin p is p: 1, 2 and 4; from 5, pin 29 is the farthest of 29 others."""
    found = values(compared({"line": Line()}).metrics, "all")
    assert found["hit_rate@1"] == 1 / 4
    assert found["hit_rate@3"] == 2 / 4
    assert found["mrr"] == pytest.approx((1 + 1 / 2 + 1 / 4 + 1 / 29) / 4)
    assert found["scaled_mrr"] == pytest.approx((1 + 1 + 1 / 2 + 1 / 15) / 4)
    assert found["recall@20"] == pytest.approx((1 + 0) / 2)
    assert found["cold_hit_rate@10"] == 0


def test_new_pairs_have_one_candidate_less():
    """(0, 1) is known from training: ranks 1 and 3 are left, and 29's."""
    found = values(compared({"line": Line()}).metrics, "new")
    assert found["hit_rate@1"] == pytest.approx(1 / 3)
    assert found["mrr"] == pytest.approx((1 + 1 / 3 + 1 / 29) / 3)


def test_a_board_ranks_what_was_held_out_of_it():
    """Board 1 holds pin 5 alone: ranks 7, 5 and 2 of 4 and 29; of 1, 2, 4 and 29 three are among the first 20."""
    assert values(compared({"line": Line()}).metrics, "board")["recall@20"] == 3 / 4


def test_values_lie_within_their_intervals():
    """And coverage, which is no mean over queries, has none."""
    for row in compared({"line": Line()}).metrics:
        assert (row.low is None) == row.metric.startswith("coverage")
        if row.low is not None and not row.metric.startswith("popularity"):
            assert row.low <= row.value <= row.high


def test_differences_are_pinsage_minus_the_other_method():
    """Against itself there is no difference in any draw; against the reverse it wins wherever it is near."""
    found = compared({"pinsage": Line(), "twin": Line(), "reverse": Line(-1)}).differences
    assert {row.method for row in found} == {"twin", "reverse"}
    assert all((row.value, row.low, row.high) == (0, 0, 0) for row in found if row.method == "twin")
    lead = next(row for row in found if (row.method, row.view, row.metric) == ("reverse", "all", "hit_rate@3"))
    assert lead.value == pytest.approx(1 / 2 - 1 / 4)  # backwards, 29 is the first pin from 5


def test_without_pinsage_there_are_no_differences():
    """Nothing to compare with."""
    assert compared({"line": Line()}).differences == []


def test_slices_hold_the_hit_rate_of_some_pairs():
    """The cold positive is not found, the others are."""
    found = {
        (row.slice, row.part): (row.value, row.pairs) for row in compared({"line": Line()}).slices if row.view == "all"
    }
    assert found["positive", "cold"] == (0, 1)
    assert found["positive", "warm"] == (1, 3)


def test_without_cold_pairs_there_is_no_cold_metric():
    """Absent, not zero."""
    warm = HeldOutPairs(*(getattr(HELD_OUT, name)[:3] for name in ("query", "positive", "board")))
    assert "cold_hit_rate@10" not in values(compared({"line": Line()}, warm).metrics, "all")


def test_a_split_without_pairs_is_said_and_left_out(caplog):
    """Nothing silently skipped."""
    none = HeldOutPairs(*(np.zeros(0, np.int32) for _ in range(3)))
    with caplog.at_level(logging.WARNING):
        assert compared({"line": Line()}, none).metrics == []
    assert "test: 0 pairs" in caplog.text


def test_the_tables_have_the_columns_of_the_data_model():
    """Also where they are empty."""
    found = compared({"pinsage": Line(), "other": Line(-1)})
    plain = ["method", "split", "view", "metric", "value", "low", "high"]
    assert metric_table(found.metrics).schema.names == plain
    assert metric_table(found.slices, SliceMetric).schema.names == [*plain, "slice", "part", "pairs"]
    assert metric_table(found.differences, Difference).num_rows == len(found.differences) > 0
    assert metric_table([]).schema == metric_table(found.metrics).schema


def test_spread_is_the_kurtosis_over_pins_that_have_the_feature():
    """Two directions at right angles, half of the pins each: cosines 0 or 1, a coin, kurtosis -2; zero rows are out."""
    vectors = np.repeat(np.array([[1, 0], [0, 1], [0, 0]], np.float32), 100, axis=0)
    assert spread(Similarity(vectors), seed=0) == pytest.approx(-2, abs=0.05)
    assert spread(Similarity(np.zeros((5, 2), np.float32)), seed=0) == 0
