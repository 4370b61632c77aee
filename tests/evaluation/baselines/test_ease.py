"""EASE against the formula of its paper."""

import numpy as np
import pytest
from saves_world import dense, graph_of, random_graph

from pinsage.errors import InputError
from pinsage.evaluation.baselines import ease
from pinsage.evaluation.baselines.ease import Linear, ease_weights
from pinsage.evaluation.pin_lists import PinLists


@pytest.mark.parametrize(("block", "direct"), [(4, 100), (7, 5), (2048, 100)])
def test_weights_are_those_of_the_formula(monkeypatch, block, direct):
    """B = I - P / diag(P), P the inverse of the Gram matrix with the penalty; in blocks of any size, and by halves."""
    monkeypatch.setattr(ease, "_BLOCK", block)
    monkeypatch.setattr(ease, "DIRECT", direct)
    graph = random_graph()
    saves = dense(graph)
    inverse = np.linalg.inv(saves @ saves.T + 5 * np.eye(graph.num_pins))
    expected = np.eye(graph.num_pins) - inverse / np.diag(inverse)
    np.testing.assert_allclose(ease_weights(graph, 5.0), expected, atol=1e-5)


def test_a_board_scores_the_mean_of_the_rows_of_its_pins():
    """Which ranks as the sum does, the prediction of the paper."""
    weights = np.arange(16, dtype=np.float32).reshape(4, 4)
    boards = PinLists(np.array([0, 2]), np.array([1, 3], np.int32))
    np.testing.assert_allclose(Linear(weights).board_scores(boards), [[8, 9, 10, 11]])


def test_a_penalty_of_nothing_is_refused():
    """A pin without saves leaves a row of zeros, which has no inverse."""
    with pytest.raises(InputError, match="EASE cannot invert its matrix with a penalty of 0"):
        ease_weights(graph_of([0, 1], num_pins=3), 0.0)
