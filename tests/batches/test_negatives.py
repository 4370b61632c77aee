"""Random and hard negatives."""

import numpy as np

from pinsage.batches.negatives import accidental_mask, hard_negatives, shared_negatives

QUERY = np.array([0, 1, 2], np.int32)


def test_shared_negatives_are_uniform():
    """Each of 10 pins gets a tenth of 100,000 draws, within 5 standard deviations."""
    counts = np.bincount(shared_negatives(10, 100_000, np.random.default_rng(0)), minlength=10)
    assert np.abs(counts - 10_000).max() < 5 * np.sqrt(100_000 * 0.1 * 0.9)


def test_hard_negatives_come_from_the_candidates_of_their_query():
    """Every drawn pin is a candidate of its own row, and every candidate gets drawn."""
    candidates = np.array([[10, 11], [12, 13], [14, 15]] + [[-1, -1]] * 20, np.int32)
    drawn = hard_negatives(candidates, QUERY, count=40, rng=np.random.default_rng(0))
    assert drawn.num_replaced == 0
    assert [set(row) for row in drawn.pins.tolist()] == [{10, 11}, {12, 13}, {14, 15}]


def test_missing_candidates_become_random_pins_and_are_counted():
    """Padding never reaches a minibatch."""
    candidates = np.full((30, 4), -1, np.int32)
    candidates[0] = 5
    drawn = hard_negatives(candidates, QUERY, count=6, rng=np.random.default_rng(0))
    assert drawn.num_replaced == 12
    assert set(drawn.pins[0].tolist()) == {5}
    assert drawn.pins.min() >= 0
    assert len(set(drawn.pins[1:].ravel().tolist())) > 3


def test_no_candidates_at_all_and_no_hard_negatives_at_all():
    """A table without columns gives random pins; a count of 0 gives an empty table."""
    empty = np.empty((30, 0), np.int32)
    assert hard_negatives(empty, QUERY, count=2, rng=np.random.default_rng(0)).num_replaced == 6
    assert hard_negatives(empty, QUERY, count=0, rng=np.random.default_rng(0)).pins.shape == (3, 0)


def test_the_positive_and_the_query_are_masked():
    """A negative that is the pair itself does not count, in both shapes."""
    positive = np.array([5, 6, 7], np.int32)
    shared = accidental_mask(np.array([5, 1, 9], np.int32), QUERY, positive)
    assert shared.tolist() == [[False, True, True], [True, False, True], [True, True, True]]
    own = accidental_mask(np.array([[5, 9], [9, 1], [5, 6]], np.int32), QUERY, positive)
    assert own.tolist() == [[False, True], [True, False], [True, True]]
