"""Data that are small or poor, but no error unless nothing can be learned from them."""

from dataclasses import replace

import numpy as np

from pinsage.pairs.pairs import Pairs
from pinsage.training.loop import fit
from pinsage.walks.neighborhood import Neighborhoods


def test_fewer_pins_than_negatives_give_as_many_negatives_as_pins(world):
    """A default that suits large catalogs must not stop a small one."""
    start = world(num_negatives=1000, steps=3)
    result = fit(start.data, start.model, start.train)
    assert np.isfinite([point.loss for point in result.curve]).all()


def test_a_batch_larger_than_the_data_becomes_smaller(world):
    """Eight pairs, 32 asked for in a minibatch."""
    start = world(steps=3)
    few = Pairs(start.data.train.query[:8], start.data.train.positive[:8])
    result = fit(replace(start.data, train=few), start.model, start.train)
    assert np.isfinite([point.loss for point in result.curve]).all()


def test_pins_without_neighbors_train_on_their_content(world):
    """A catalog in which nobody has a neighbor: all weights 0, each padded with itself."""
    start = world(steps=5)
    neighbors = np.repeat(np.arange(240, dtype=np.int32)[:, None], 8, axis=1)
    alone = Neighborhoods(neighbors, np.zeros((240, 8), np.float32))
    result = fit(replace(start.data, neighborhoods=alone), start.model, start.train)
    assert np.isfinite([point.loss for point in result.curve]).all()


def test_queries_without_hard_negative_candidates_get_random_ones_that_are_counted(world):
    """Each of steps 14 to 39 draws one or two per query, all of them replaced."""
    start = world()
    none = np.full((240, 10), -1, np.int32)
    result = fit(replace(start.data, hard_negatives=none), start.model, start.train)
    drawn = sum(min(2, step * 3 // 40) for step in range(40)) * start.train.batch_size
    assert result.num_replaced == drawn > 0
