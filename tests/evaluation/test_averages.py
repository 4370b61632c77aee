"""Figures as sums over queries, by hand."""

import numpy as np
import pytest

from pinsage.evaluation.averages import (
    Slice,
    board_averages,
    over_pairs,
    pair_averages,
    popularity_averages,
    slice_averages,
)
from pinsage.evaluation.pin_lists import PinLists
from pinsage.evaluation.ranking import Ranking, Targets
from pinsage.evaluation.views import BoardView, PairView
from pinsage.settings.schema import EvaluateSettings

# Query 0 asks for pin 7 twice (two boards) and for 8; query 1 for nothing, query 2 for 9.
POSITIVES = PinLists(np.array([0, 3, 3, 4]), np.array([7, 7, 8, 9], np.int32))
VIEW = PairView("all", Targets(POSITIVES), np.array([0, 1, 0, 1], np.int32))
RANKING = Ranking(np.array([1, 1, 30, 4.0]), np.array([[7, 2], [1, 3], [4, -1]], np.int32))


def values(averages):
    """The value of each figure by name."""
    return {each.metric: each.value for each in averages}


def test_the_figures_of_pairs_are_those_counted_by_hand():
    """Ranks 1, 1, 30, 4; recall takes the distinct positives of a query together and leaves out query 1."""
    found = values(pair_averages(VIEW, RANKING, EvaluateSettings(ranks=[3, 1], mrr_scale=10)))
    assert found == {
        "hit_rate@1": 0.5,
        "hit_rate@3": 0.5,
        "scaled_mrr": pytest.approx((1 + 1 + 1 / 3 + 1) / 4),
        "mrr": pytest.approx((1 + 1 + 1 / 30 + 1 / 4) / 4),
        "ndcg@10": pytest.approx((1 + 1 + 0 + 1 / np.log2(5)) / 4),
        "recall@20": pytest.approx((1 / 2 + 1) / 2),
    }


def test_sums_belong_to_queries():
    """Three pairs of query 0, none of 1, one of 2."""
    found = over_pairs("any", np.array([1.0, 2, 3, 4]), POSITIVES)
    assert found.sums.tolist() == [6, 0, 4]
    assert found.counts.tolist() == [3, 0, 1]


def test_a_slice_counts_its_pairs_alone_and_an_empty_part_is_left_out():
    """Of the pairs of board 0 one of two is hit."""
    of_boards = Slice("board", {str(board): VIEW.board == board for board in range(3)})
    found = slice_averages(VIEW, RANKING, [of_boards], 10)
    assert [(each.slice, each.part, each.value) for each in found] == [("board", "0", 0.5), ("board", "1", 1.0)]


def test_popularity_compares_what_is_shown_with_what_was_saved():
    """Query 1 asks for nothing, so what it would be shown does not count."""
    percentiles = np.arange(10) / 10
    recommended, positives = popularity_averages(VIEW, RANKING, percentiles)
    assert recommended.value == pytest.approx(((0.7 + 0.2) / 2 + 0.4) / 2)
    assert positives.value == pytest.approx((0.7 + 0.7 + 0.8 + 0.9) / 4)


def test_boards_have_recall_and_ndcg():
    """Each board counts once, whatever it holds out."""
    targets = Targets(PinLists(np.array([0, 2, 3]), np.array([1, 2, 3], np.int32)))
    view = BoardView(np.array([4, 6], np.int32), PinLists(np.zeros(3, np.int64), np.zeros(0, np.int32)), targets)
    found = values(board_averages(view, Ranking(np.array([1, 21, 2.0]), np.zeros((2, 1), np.int32))))
    best = 1 + 1 / np.log2(3)
    assert found == {"recall@20": 0.75, "ndcg@20": pytest.approx((1 / best + 1 / np.log2(3)) / 2)}
