"""Popularity and transitions, counted on fingers."""

import numpy as np
from saves_world import graph_of

from pinsage.evaluation.baselines.counts import Fallback, Popularity, Transitions
from pinsage.evaluation.pin_lists import PinLists
from pinsage.evaluation.ranking import mean_scores, top
from pinsage.pairs.pairs import Pairs

DEGREES = np.array([1, 5, 0, 2], np.int64)
PAIRS = Pairs(np.array([0, 0, 0, 1, 3], np.int32), np.array([3, 3, 2, 0, 1], np.int32))


def test_popularity_is_the_same_for_every_query():
    """Degrees 2, 2, 1: the query is left out, the most popular other comes first."""
    scorer = Popularity(graph_of([0, 1, 2], [0, 1], num_pins=4).pin_degrees)
    pins, _ = top(scorer, np.array([0, 3], np.int32), 3)
    assert pins.tolist() == [[1, 2, 3], [0, 1, 2]]


def test_transitions_count_the_pairs_in_one_direction():
    """0 was followed by 3 twice and by 2 once; 3 by 1, never by 0."""
    scores = Transitions(PAIRS, Fallback(DEGREES), 4).scores(np.array([0, 3], np.int32))
    assert scores[0, [3, 2]].tolist() == [2, 1]
    assert scores[1, 1] == 1
    assert scores[1, 0] < 0


def test_what_was_never_next_comes_after_the_rest_by_popularity():
    """From 0: two partners, then the most popular other pin."""
    pins, _ = top(Transitions(PAIRS, Fallback(DEGREES), 4), np.array([0, 2], np.int32), 3)
    assert pins.tolist() == [[3, 2, 1], [1, 3, 0]]


def test_a_board_scores_the_mean_of_its_pins_before_the_popular_ones():
    """Where any pin of the board has a partner, the score is the mean number of pairs."""
    scorer = Transitions(PAIRS, Fallback(np.zeros(4, np.int64)), 4)
    boards = PinLists(np.array([0, 2]), np.array([0, 3], np.int32))
    assert scorer.board_scores(boards)[0, [1, 2, 3]].tolist() == [0.5, 0.5, 1]
    positive = np.maximum(mean_scores(scorer, boards), 0)  # which counts a missing partner as less than 0
    assert (positive[0, [1, 2, 3]] <= [0.5, 0.5, 1]).all()


def test_the_order_of_popularity_survives_float32():
    """A pin of a million boards leaves small numbers of boards apart."""
    scores = np.zeros((1, 4), np.float32)
    Fallback(np.array([5, 6, 0, 10**6])).fill(scores)
    assert np.argsort(-scores[0]).tolist() == [3, 1, 0, 2]
    assert scores.max() < 0
    assert scores[0, 1] - scores[0, 0] > 1e-4
