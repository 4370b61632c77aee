"""The truncated SVD against a full one."""

import numpy as np
from saves_world import PLAN, dense, inputs, random_graph

from pinsage.evaluation.baselines.factors import singular_vectors, svd


def test_the_largest_factors_are_those_of_a_full_svd():
    """Up to the sign of each, largest first."""
    graph = random_graph()
    saves = dense(graph)
    pins, boards = np.maximum(saves.sum(axis=1), 1), np.maximum(saves.sum(axis=0), 1)
    left, values, _ = np.linalg.svd(saves / np.sqrt(np.outer(pins, boards)))
    found = singular_vectors(graph, 4, seed=0)
    np.testing.assert_allclose(np.abs(found), np.abs(left[:, :4] * values[:4]), atol=1e-5)


def test_a_rank_above_the_number_of_boards_takes_what_there_is():
    """Twenty boards cannot have 256 factors."""
    make = svd(inputs(random_graph()), PLAN)
    assert make(256.0).scores(np.array([0], np.int32)).shape == (1, 30)
