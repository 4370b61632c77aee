"""Cosines, with and without a term for popularity."""

import numpy as np
import pytest

from pinsage.errors import InputError
from pinsage.evaluation.baselines.similarity import Similarity
from pinsage.evaluation.pin_lists import PinLists
from pinsage.evaluation.ranking import UNRANKED, mean_scores

VECTORS = np.random.default_rng(0).normal(size=(12, 5)).astype(np.float32) * 7
UNIT = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
QUERIES = np.array([3, 0], np.int32)


def test_similarity_is_the_cosine():
    """Against the formula, for vectors of any length."""
    np.testing.assert_allclose(Similarity(VECTORS).scores(QUERIES), UNIT[QUERIES] @ UNIT.T, atol=1e-6)


def test_popularity_is_added_to_the_cosine_of_the_candidate():
    """score(q, j) = cosine + popularity of j, whatever the query."""
    popularity = np.linspace(0, 1, 12, dtype=np.float32)
    found = Similarity(VECTORS, popularity).scores(QUERIES)
    np.testing.assert_allclose(found, UNIT[QUERIES] @ UNIT.T + popularity, atol=1e-6)


def test_a_board_scores_the_mean_of_its_pins():
    """The fast way by the mean vector gives what the mean of the scores gives."""
    scorer = Similarity(VECTORS)
    boards = PinLists(np.array([0, 3, 4]), np.array([1, 5, 7, 2], np.int32))
    np.testing.assert_allclose(scorer.board_scores(boards), mean_scores(scorer, boards), atol=1e-5)


def test_popularity_counts_less_for_a_board_of_many_pins():
    """Half of it for a board of four, all of it for a board of one."""
    popularity = np.linspace(0, 1, 12, dtype=np.float32)
    boards = PinLists(np.array([0, 4, 5]), np.array([1, 5, 7, 3, 2], np.int32))
    gained = Similarity(VECTORS, popularity).board_scores(boards) - Similarity(VECTORS).board_scores(boards)
    np.testing.assert_allclose(gained, [popularity / 2, popularity], atol=1e-6)


def test_a_common_pin_says_less_about_its_board():
    """A pin on 4 boards counts half as much as one on a single board, and one on none like that."""
    degrees = np.where(np.arange(12) == 1, 4, np.arange(12) == 5)
    boards = PinLists(np.array([0, 3]), np.array([1, 5, 7], np.int32))
    mean = (UNIT[1] / 2 + UNIT[5] + UNIT[7]) / 2.5
    np.testing.assert_allclose(Similarity(VECTORS, pin_degrees=degrees).board_scores(boards), [UNIT @ mean], atol=1e-6)


def test_a_pin_without_the_feature_ranks_last_and_ranks_nothing():
    """Its zero vector would otherwise beat every pin of negative cosine; a board of such pins ranks nothing either."""
    scorer = Similarity(np.array([[1, 0], [0, 0], [-1, 0]], np.float32))
    assert scorer.scores(np.array([0, 1], np.int32)).tolist() == [[1, UNRANKED, -1], [UNRANKED] * 3]
    boards = PinLists(np.array([0, 2, 3]), np.array([0, 1, 1], np.int32))
    assert scorer.board_scores(boards).tolist() == [[1, UNRANKED, -1], [UNRANKED] * 3]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_vectors_that_are_no_numbers_are_refused(bad):
    """NaN compares as false and would rank first."""
    with pytest.raises(InputError, match="The vector of pin 1 is not finite"):
        Similarity(np.array([[1, 0], [bad, 0]], np.float32))
