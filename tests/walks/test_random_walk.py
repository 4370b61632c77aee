"""Compiled walks visit what slow walks visit, whoever walks beside them."""

import numpy as np
import pytest
from slow_walks import expected_visits, graph_of, random_graph, with_weights
from slow_walks import top_visited as slow_top_visited

from pinsage.errors import SettingsError, UnknownPinError
from pinsage.graph.csr import BipartiteGraph
from pinsage.walks import random_walk
from pinsage.walks.hops import HopTables
from pinsage.walks.random_walk import WalkPlan


def top_visited(graph, pins, plan, *, top):
    """Walks over a graph that is prepared for them."""
    return random_walk.top_visited(HopTables.of(graph), pins, plan, top=top)


def pins(*rows):
    return np.array(rows, np.int32)


@pytest.mark.parametrize(
    "plan",
    [
        WalkPlan(num_walks=30, max_traversals=2, restart=0.5, seed=1),
        WalkPlan(num_walks=7, max_traversals=5, restart=0.0, seed=2),
        WalkPlan(num_walks=1, max_traversals=1, restart=0.9, seed=3),
        WalkPlan(num_walks=1500, max_traversals=3, restart=0.2, seed=4),  # more walks than lanes
    ],
)
@pytest.mark.parametrize("top", [1, 10, 200])
def test_compiled_walks_equal_slow_walks(plan, top):
    """Every pin and every weight, for many pins at once, some isolated, with T above and below what is reached."""
    graph = random_graph(num_pins=80, num_boards=25, num_saves=300)
    queries = np.arange(80, dtype=np.int32)[:: 1 if plan.num_walks < 1000 else 16]
    found, weights, _ = top_visited(graph, queries, plan, top=top)
    slow_found, slow_weights = slow_top_visited(graph, queries, plan, top)
    np.testing.assert_array_equal(found, slow_found)
    np.testing.assert_array_equal(weights, slow_weights)


def test_any_split_and_order_of_the_pins_gives_the_same_rows():
    """Alone, shuffled, repeated or in blocks: a pin's walks are its own."""
    graph, plan = random_graph(300, 60, 900), WalkPlan(37, 4, 0.3, 5)
    everyone = np.arange(300, dtype=np.int32)
    found, weights, _ = top_visited(graph, everyone, plan, top=8)
    shuffled = np.random.default_rng(0).permutation(everyone)
    for block in (shuffled[:1], shuffled[:77], pins(5, 5, 299, 5)):
        again, same, _ = top_visited(graph, block, plan, top=8)
        np.testing.assert_array_equal(again, found[block])
        np.testing.assert_array_equal(same, weights[block])


def test_visits_follow_the_exact_distribution():
    """On a small graph the shares of 400,000 walks are within 0.005 of the exact two-traversal shares."""
    graph = graph_of([(0, 0), (1, 0), (2, 0), (0, 1), (2, 1), (3, 1), (3, 2), (4, 2)], 6, 3)
    pin_board = np.zeros((6, 3))
    for pin in range(6):
        pin_board[pin, graph.pin_boards[graph.pin_offsets[pin] : graph.pin_offsets[pin + 1]]] = 1
    board_pin = pin_board.T / pin_board.sum(axis=0)[:, None]
    step = (pin_board / np.maximum(pin_board.sum(axis=1), 1)[:, None]) @ board_pin
    exact = step[0] + (1 - 0.25) * (step @ step)[0]
    exact[0] = 0
    found, weights, _ = top_visited(graph, pins(0), WalkPlan(400_000, 2, 0.25, 11), top=5)
    shares = np.zeros(6)
    shares[found[0][found[0] >= 0]] = weights[0][found[0] >= 0]
    np.testing.assert_allclose(shares, exact / exact.sum(), atol=0.005)


def test_the_start_pin_and_isolated_pins_are_never_visited():
    """A board with one pin leads back to it: nothing to count, weights of zero; the same for no board at all."""
    graph = graph_of([(0, 0)], num_pins=2, num_boards=1)
    found, weights, _ = top_visited(graph, pins(0, 1), WalkPlan(100, 3, 0.5, 0), top=4)
    assert (found == -1).all()
    assert (weights == 0).all()


def test_ties_have_no_favorite_pins():
    """Few walks on a huge board visit nearly every pin once: as many of those kept are above the middle as below."""
    hops = HopTables.of(graph_of([(pin, 0) for pin in range(10_000)], 10_000, 1))
    found, weights, _ = random_walk.top_visited(hops, np.arange(20, dtype=np.int32), WalkPlan(50, 1, 0.0, 2), top=10)
    once = found[weights == 0.1]
    assert len(once) > 150
    assert 0.35 < (once < 5000).mean() < 0.65


@pytest.mark.parametrize("max_traversals", [1, 2])
def test_weighted_walks_follow_the_exact_distribution(max_traversals):
    """With weights from 0.1 to 10, the shares of 200,000 walks are within 0.01 of the exact ones, from every pin."""
    graph, rng = random_graph(20, 8, 60), np.random.default_rng(1)
    weights = 10 ** rng.uniform(-1, 1, graph.num_saves)
    weighted, plan = with_weights(graph, weights), WalkPlan(200_000, max_traversals, 0.3, 5)
    found, shares, _ = random_walk.top_visited(HopTables.of(weighted), np.arange(20, dtype=np.int32), plan, top=20)
    exact = expected_visits(graph, plan, weights)
    exact /= np.maximum(exact.sum(axis=1, keepdims=True), 1e-300)
    dense = np.zeros((20, 20))
    rows, places = np.nonzero(found >= 0)
    dense[rows, found[rows, places]] = shares[rows, places]
    assert exact.max() > 0.3
    np.testing.assert_allclose(dense, exact, atol=0.01)


def test_more_restarts_mean_fewer_far_visits():
    """On a chain 0-1-2 the far end is reached by second traversals only."""
    graph = graph_of([(0, 0), (1, 0), (1, 1), (2, 1)], 3, 2)
    shares = []
    for restart in (0.0, 0.5, 0.95):
        found, weights, _ = top_visited(graph, pins(0), WalkPlan(4000, 2, restart, 1), top=2)
        shares.append(float(weights[0][found[0] == 2].sum()))
    assert shares[0] > shares[1] > shares[2] > 0


def test_another_seed_is_another_walk():
    """The seed reaches the draws."""
    graph, plan = random_graph(200, 40, 700), {"num_walks": 20, "max_traversals": 2, "restart": 0.5}
    one, two = (top_visited(graph, pins(0, 1, 2), WalkPlan(**plan, seed=seed), top=9)[0] for seed in (1, 2))
    assert (one != two).any()


def test_memory_maps_and_arrays_walk_alike(tmp_path):
    """A graph from disk gives the rows of the graph in memory."""
    graph, plan = random_graph(60, 20, 200), WalkPlan(20, 2, 0.5, 0)
    graph.save(tmp_path)
    everyone = np.arange(60, dtype=np.int32)
    one, two = (
        top_visited(graph, everyone, plan, top=5),
        top_visited(BipartiteGraph.open(tmp_path), everyone, plan, top=5),
    )
    np.testing.assert_array_equal(one[0], two[0])


def test_no_queries_and_no_saves_give_empty_answers():
    """Nothing asked, nothing answered; a graph without saves is all isolated pins."""
    graph, plan = graph_of([], 3, 0), WalkPlan(5, 2, 0.5, 0)
    assert top_visited(graph, pins(), plan, top=4)[0].shape == (0, 4)
    assert (top_visited(graph, pins(0, 2), plan, top=4)[0] == -1).all()


@pytest.mark.parametrize("pin", [-1, 3])
def test_a_query_outside_the_graph_is_refused(pin):
    """Compiled code would read past its arrays."""
    with pytest.raises(UnknownPinError, match=f"Pin {pin} was asked for, but pins run from 0 to 2"):
        top_visited(graph_of([(0, 0)], 3, 1), pins(0, pin), WalkPlan(5, 2, 0.5, 0), top=4)


@pytest.mark.parametrize("plan", [WalkPlan(0, 2, 0.5, 0), WalkPlan(5, 65, 0.5, 0), WalkPlan(5, 2, 1.0, 0)])
def test_a_plan_out_of_bounds_is_refused(plan):
    """No walk, more traversals than a walk has draws for, a walk that cannot begin."""
    with pytest.raises(SettingsError, match="cannot be walked"):
        top_visited(graph_of([(0, 0)], 1, 1), pins(0), plan, top=4)
