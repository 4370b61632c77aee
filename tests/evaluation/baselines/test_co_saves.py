"""Item-kNN and RP3beta against dense formulas."""

import numpy as np
import pytest
from saves_world import dense, graph_of, inputs, random_graph

from pinsage.evaluation.baselines import co_saves
from pinsage.evaluation.baselines.co_saves import item_knn, rp3beta
from pinsage.evaluation.pin_lists import PinLists
from pinsage.evaluation.ranking import top

GRAPH = random_graph()
SAVES = dense(GRAPH)
QUERIES = np.array([7, 2, 29, 0], np.int32)
BOARDS = PinLists(np.array([0, 3, 5]), np.array([4, 1, 9, 2, 29], np.int32))


def slow_item_knn(saves, shrinkage):
    """Common boards over the product of the lengths and the shrinkage."""
    lengths = np.sqrt(np.maximum(saves.sum(axis=1), 1))
    return saves @ saves.T / (np.outer(lengths, lengths) + shrinkage)


def slow_rp3beta(saves, beta):
    """The transition matrices of pins to boards and boards to pins, multiplied and damped."""
    pins, boards = np.maximum(saves.sum(axis=1), 1), np.maximum(saves.sum(axis=0), 1)
    return (saves / pins[:, None]) @ (saves.T / boards[:, None]) / pins**beta


@pytest.mark.parametrize("value", [0.0, 0.5, 20.0])
@pytest.mark.parametrize(("make", "slow"), [(item_knn, slow_item_knn), (rp3beta, slow_rp3beta)])
def test_scores_are_those_of_the_dense_formula(make, slow, value):
    """For pins, and as the mean over the pins of a board; pins that share nothing lie below 0."""
    expected, scorer = slow(SAVES, value), make(inputs(GRAPH), None, value)
    np.testing.assert_allclose(np.maximum(scorer.scores(QUERIES), 0), expected[QUERIES], rtol=1e-5)
    means = np.stack([expected[[4, 1, 9]].mean(axis=0), expected[[2, 29]].mean(axis=0)])
    np.testing.assert_allclose(np.maximum(scorer.board_scores(BOARDS), 0), means, rtol=1e-5)


@pytest.mark.parametrize("cache_bytes", [0, 4 * 30 * 7, 10**6])
def test_kept_rows_change_no_score(monkeypatch, cache_bytes):
    """However many rows there is room for."""
    monkeypatch.setattr(co_saves, "CACHE_BYTES", cache_bytes)
    scores = item_knn(inputs(GRAPH), None, 1.0).board_scores(BOARDS)
    expected = slow_item_knn(SAVES, 1.0)
    np.testing.assert_allclose(np.maximum(scores[0], 0), expected[[4, 1, 9]].mean(axis=0), rtol=1e-5)


def test_on_a_checkerboard_only_pins_of_the_same_color_have_scores():
    """Even boards hold even pins, odd boards odd pins."""
    graph = graph_of(*[range(board % 2, 10, 2) for board in range(6)], num_pins=10)
    for scorer in (item_knn(inputs(graph), None, 10.0), rp3beta(inputs(graph), None, 0.5)):
        pins, scores = top(scorer, np.arange(10, dtype=np.int32), 4)
        assert (pins % 2 == np.arange(10)[:, None] % 2).all()
        assert (scores > 0).all()


def test_a_pin_without_saves_is_answered_with_the_popular_ones():
    """Pin 1 is on two boards."""
    graph = graph_of([0, 1], [1, 2], num_pins=4)
    assert top(item_knn(inputs(graph), None, 0.0), np.array([3], np.int32), 1)[0].tolist() == [[1]]
