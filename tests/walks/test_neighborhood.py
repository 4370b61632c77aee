"""Neighborhoods are rectangular: rows of weights sum to one or zero, padding is the pin itself."""

import numpy as np
import pytest
from slow_walks import graph_of, random_graph

from pinsage.errors import ArtifactDamagedError
from pinsage.settings.schema import WalkSettings
from pinsage.walks.hops import HopTables
from pinsage.walks.neighborhood import Neighborhoods, top_neighbors, walk_plan
from pinsage.walks.random_walk import top_visited

SETTINGS = WalkSettings(num_neighbors=12, method="walks", num_walks=100, seed=4)
METHODS = (SETTINGS, SETTINGS.model_copy(update={"method": "expected"}))


def test_weights_of_each_pin_sum_to_one_or_to_zero():
    """Zero for isolated pins and for pins alone on their boards, one for all others, heaviest first."""
    graph = random_graph(200, 40, 500)
    found = top_neighbors(HopTables.of(graph), np.arange(200, dtype=np.int32), SETTINGS)[0]
    sums, isolated = found.weights.sum(axis=1, dtype=np.float64), graph.pin_degrees == 0
    assert isolated.any()
    assert (sums[isolated] == 0).all()
    assert (np.minimum(np.abs(sums), np.abs(sums - 1)) < 1e-6).all()
    assert (np.diff(found.weights, axis=1) <= 0).all()


def test_padding_is_the_pin_itself_with_weight_zero():
    """Pins 0 and 1 share a board and nothing else: one neighbor each, eleven times themselves."""
    graph = graph_of([(0, 0), (1, 0)], num_pins=3, num_boards=1)
    found = top_neighbors(HopTables.of(graph), np.array([1, 2, 0], np.int32), SETTINGS)[0]
    assert found.neighbors.tolist() == [[0, *[1] * 11], [2] * 12, [1, *[0] * 11]]
    assert found.weights.tolist() == [[1.0, *[0.0] * 11], [0.0] * 12, [1.0, *[0.0] * 11]]


def test_a_pin_is_never_its_own_neighbor():
    """Where there is weight there is another pin; no neighbor comes twice."""
    graph, everyone = random_graph(150, 30, 600), np.arange(150, dtype=np.int32)
    found = top_neighbors(HopTables.of(graph), everyone, SETTINGS)[0]
    assert (found.neighbors[found.weights > 0] != np.repeat(everyone, (found.weights > 0).sum(axis=1))).all()
    for row, weights in zip(found.neighbors, found.weights, strict=True):
        assert len(set(row[weights > 0])) == (weights > 0).sum()


def test_neighbors_are_the_top_visited_pins():
    """The settings reach the walk."""
    graph, everyone = random_graph(100, 30, 300), np.arange(100, dtype=np.int32)
    visited, weights, _ = top_visited(HopTables.of(graph), everyone, walk_plan(SETTINGS), top=12)
    found = top_neighbors(HopTables.of(graph), everyone, SETTINGS)[0]
    np.testing.assert_array_equal(found.weights, weights)
    np.testing.assert_array_equal(found.neighbors[visited >= 0], visited[visited >= 0])


def test_neighborhoods_on_disk_are_opened_as_they_were(tmp_path):
    """Saved and opened, the arrays and their sizes are the same."""
    found = top_neighbors(HopTables.of(random_graph(50, 10, 100)), np.arange(50, dtype=np.int32), SETTINGS)[0]
    found.save(tmp_path)
    again = Neighborhoods.open(tmp_path)
    assert (again.num_pins, again.num_neighbors) == (50, 12)
    np.testing.assert_array_equal(again.neighbors, found.neighbors)
    np.testing.assert_array_equal(again.weights, found.weights)


def test_neighbors_and_weights_of_different_shape_are_refused(tmp_path):
    """Files of two runs mixed up."""
    Neighborhoods(np.zeros((3, 2), np.int32), np.zeros((3, 4), np.float32)).save(tmp_path)
    with pytest.raises(ArtifactDamagedError, match=r"\[3, 2\] and weights \[3, 4\]"):
        Neighborhoods.open(tmp_path)
