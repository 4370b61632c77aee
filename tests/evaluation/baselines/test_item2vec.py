"""Training pairs as sentences."""

import numpy as np

from pinsage.evaluation.baselines.item2vec import sentences
from pinsage.pairs.pairs import Pairs


def test_pairs_that_follow_each_other_are_one_sentence():
    """A board's saves in their order come back; a pair that does not begin where the last one ended opens a new one."""
    pairs = Pairs(np.array([1, 2, 7, 3], np.int32), np.array([2, 5, 8, 1], np.int32))
    assert sentences(pairs) == [["1", "2", "5"], ["7", "8"], ["3", "1"]]


def test_no_pairs_are_no_sentences():
    """An empty split."""
    assert sentences(Pairs(np.zeros(0, np.int32), np.zeros(0, np.int32))) == []
