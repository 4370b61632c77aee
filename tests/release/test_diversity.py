"""Varied lists against a slow twin, and the two ends of each dial."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinsage.release.diversity import Diversity, diverse


def world(seed, num_candidates):
    """Candidates by falling score, their directions, and a query."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(num_candidates + 1, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = np.sort(rng.random(num_candidates).astype(np.float32))[::-1]
    return scores, vectors[1:], vectors[0]


def slow(scores, vectors, query, k, diversity):
    """By the definition of maximal marginal relevance, one candidate at a time."""
    chosen = []
    while len(chosen) < k:
        gains = {}
        for place in range(len(scores)):
            cosines = [float(vectors[place] @ vectors[other]) for other in chosen]
            if place in chosen or max([*cosines, float(vectors[place] @ query)]) > diversity.max_cosine:
                continue
            penalty = (1 - diversity.relevance) * max(cosines) if chosen else 0
            gains[place] = (diversity.relevance if chosen else 1) * scores[place] - penalty
        if not gains:
            break
        chosen.append(max(gains, key=lambda place: (gains[place], -place)))
    return chosen


@given(st.integers(0, 2**31), st.integers(1, 25), st.integers(1, 8), st.floats(0, 1), st.floats(-0.5, 1))
@settings(max_examples=60, deadline=None)
def test_a_varied_list_is_that_of_the_definition(seed, num_candidates, k, relevance, max_cosine):
    """Whatever the dials say."""
    given_world, diversity = world(seed, num_candidates), Diversity(max_cosine, relevance)
    assert diverse(*given_world, k, diversity).tolist() == slow(*given_world, k, diversity)


def test_relevance_alone_is_the_order_of_the_scores():
    """The default changes nothing."""
    assert diverse(*world(0, 9), 5, Diversity()).tolist() == [0, 1, 2, 3, 4]
    assert not Diversity().is_wanted


@pytest.mark.parametrize(("relevance", "expected"), [(0.9, [0, 1, 2]), (0.3, [0, 2, 1])])
def test_the_dial_moves_a_twin_down(relevance, expected):
    """The second candidate is nearly the first; the third is at a right angle."""
    vectors = np.array([[1, 0], [0.99, 0.141], [0, 1]], np.float32)
    scores, query = np.array([0.9, 0.85, 0.5], np.float32), np.array([0.6, 0.8], np.float32)
    assert diverse(scores, vectors, query, 3, Diversity(relevance=relevance)).tolist() == expected
