"""Popularity and transitions, counted on fingers."""

import numpy as np
from saves_world import graph_of

from pinsage.evaluation.baselines.counts import Popularity, Transitions, popular_shares
from pinsage.evaluation.pin_lists import PinLists
from pinsage.evaluation.ranking import mean_scores, top
from pinsage.pairs.pairs import Pairs

DEGREES, NO_SAVES = np.array([1, 5, 0, 2], np.int64), np.zeros(4, np.int64)
PAIRS = Pairs(np.array([0, 0, 0, 1, 3], np.int32), np.array([3, 3, 2, 0, 1], np.int32))


def test_popularity_is_the_same_for_every_query():
    """Degrees 2, 2, 1: the query is left out, the most popular other comes first."""
    scorer = Popularity(graph_of([0, 1, 2], [0, 1], num_pins=4).pin_degrees)
    pins, _ = top(scorer, np.array([0, 3], np.int32), 3)
    assert pins.tolist() == [[1, 2, 3], [0, 1, 2]]


def test_transitions_count_the_pairs_in_one_direction():
    """0 was followed by 3 twice and by 2 once; 3 by 1, never by 0."""
    scores = Transitions(PAIRS, NO_SAVES).scores(np.array([0, 3], np.int32))
    assert scores.tolist() == [[0, 0, 1, 2], [0, 1, 0, 0]]


def test_of_equal_counts_the_popular_pin_comes_first():
    """From 0: two partners, then the most popular other pin; from 2, which nothing followed, all by popularity."""
    pins, _ = top(Transitions(PAIRS, DEGREES), np.array([0, 2], np.int32), 3)
    assert pins.tolist() == [[3, 2, 1], [1, 3, 0]]


def test_a_board_scores_the_mean_of_its_pins():
    """The fast way gives what the mean of the scores gives."""
    scorer, boards = Transitions(PAIRS, DEGREES), PinLists(np.array([0, 2]), np.array([0, 3], np.int32))
    np.testing.assert_allclose(scorer.board_scores(boards), mean_scores(scorer, boards), rtol=1e-6)


def test_the_order_of_popularity_survives_float32():
    """A pin of a million boards leaves small numbers of boards apart."""
    shares = popular_shares(np.array([5, 6, 0, 10**6]))
    assert np.argsort(-shares).tolist() == [3, 1, 0, 2]
    assert (shares.min(), shares.max()) == (0, 1)
    assert shares[1] - shares[0] > 1e-2
