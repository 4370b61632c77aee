"""Expected visits are those of a slow matrix product, exactly where the budget allows, and on average where not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_walks import expected_visits, graph_of, random_graph, with_weights

from pinsage.errors import SettingsError
from pinsage.walks.expected import PushPlan, top_expected
from pinsage.walks.hops import HopTables

GENEROUS = 1 << 20


def pins(*rows):
    return np.array(rows, np.int32)


def dense(graph, plan, top, hops=None):
    """float64 [P, P]: the weights of every pin's row, at the columns of its neighbors."""
    everyone = np.arange(graph.num_pins, dtype=np.int32)
    found, weights, _ = top_expected(hops or HopTables.of(graph), everyone, plan, top=top)
    rows, places = np.nonzero(found >= 0)
    out = np.zeros((graph.num_pins, graph.num_pins))
    out[rows, found[rows, places]] = weights[rows, places]
    return out


def shares(visits):
    return visits / np.maximum(visits.sum(axis=1, keepdims=True), 1e-300)


@pytest.mark.parametrize("max_traversals", [1, 2, 3, 6])
def test_with_a_generous_budget_the_shares_are_exact(max_traversals):
    """All pins kept, every pin a query, some isolated: equal to the matrix product, to the precision of float32."""
    graph, plan = random_graph(90, 30, 400), PushPlan(max_traversals, 0.4, GENEROUS, 1)
    np.testing.assert_allclose(dense(graph, plan, 90), shares(expected_visits(graph, plan)), atol=2e-6)


@pytest.mark.parametrize("max_traversals", [1, 2, 4])
def test_weights_of_saves_are_followed_exactly(max_traversals):
    """Weights between 0.1 and 10, drawn per save."""
    graph, rng = random_graph(60, 20, 250), np.random.default_rng(3)
    weights = 10 ** rng.uniform(-1, 1, graph.num_saves)
    plan, weighted = PushPlan(max_traversals, 0.5, GENEROUS, 1), with_weights(graph, weights)
    np.testing.assert_allclose(dense(weighted, plan, 60), shares(expected_visits(graph, plan, weights)), atol=2e-5)


def test_the_top_is_the_top_of_all():
    """With T of 5, each row holds the five largest shares in falling order, and they sum to 1."""
    graph, plan = random_graph(120, 30, 700), PushPlan(2, 0.5, GENEROUS, 1)
    _, weights, _ = top_expected(HopTables.of(graph), np.arange(120, dtype=np.int32), plan, top=5)
    exact = -np.sort(-expected_visits(graph, plan), axis=1)[:, :5]
    np.testing.assert_allclose(weights, shares(exact), atol=2e-6)


def test_small_budgets_are_right_on_average():
    """The mean over 400 seeds of rows made with a budget of 64 is near the exact row: sampling has no favorites."""
    graph = random_graph(300, 12, 1500)
    hops, query = HopTables.of(graph), int(np.argmax(graph.pin_degrees))
    exact = shares(expected_visits(graph, PushPlan(1, 0.5, 64, 0)))[query]
    mean = np.zeros(300)
    for seed in range(400):
        found, weights, _ = top_expected(hops, pins(query), PushPlan(1, 0.5, 64, seed), top=300)
        mean[found[0][found[0] >= 0]] += weights[0][found[0] >= 0] / 400
    np.testing.assert_allclose(mean, exact, atol=0.25 * exact.max())
    assert abs(mean - exact).mean() < 0.1 * exact.mean()


@pytest.mark.parametrize("budget", [64, 500, 8192])
def test_no_more_saves_are_read_than_the_budget_allows(budget):
    """A hub on every board, and a board with every pin: the bound is on the plan, not on the degrees."""
    saves = [(0, board) for board in range(3000)] + [(pin, 0) for pin in range(1, 20_000)]
    hops = HopTables.of(graph_of(saves, 20_000, 3000))
    for query in (0, 7):
        _, _, num_read = top_expected(hops, pins(query), PushPlan(2, 0.5, budget, 0), top=10)
        assert 0 < num_read <= 2 * budget + budget // 2 + 8 * budget + budget // 2 + 200


def test_any_split_and_order_of_the_pins_gives_the_same_rows():
    """Alone, shuffled or in blocks, with a budget that samples."""
    hops, plan = HopTables.of(random_graph(400, 40, 3000)), PushPlan(2, 0.5, 100, 5)
    everyone = np.arange(400, dtype=np.int32)
    found, weights, _ = top_expected(hops, everyone, plan, top=8)
    shuffled = np.random.default_rng(0).permutation(everyone)
    for block in (shuffled[:1], shuffled[:133], pins(5, 5, 399, 5)):
        again, same, _ = top_expected(hops, block, plan, top=8)
        np.testing.assert_array_equal(again, found[block])
        np.testing.assert_array_equal(same, weights[block])


def test_pins_that_only_later_traversals_reach_are_found():
    """On a chain 0-1-2-3, pin 3 is three traversals away from pin 0: there with three, not with two."""
    graph = graph_of([(0, 0), (1, 0), (1, 1), (2, 1), (2, 2), (3, 2)], 4, 3)
    hops = HopTables.of(graph)
    two, three = (top_expected(hops, pins(0), PushPlan(n, 0.5, 64, 0), top=4)[0][0].tolist() for n in (2, 3))
    assert two == [1, 2, -1, -1]
    assert three == [1, 2, 3, -1]


def test_isolated_pins_and_pins_alone_on_their_board_have_no_neighbors():
    """Padding of -1 with weight 0."""
    found, weights, _ = top_expected(HopTables.of(graph_of([(0, 0)], 2, 1)), pins(0, 1), PushPlan(3, 0.5, 64, 0), top=4)
    assert (found == -1).all()
    assert (weights == 0).all()


def test_equals_have_no_favorites():
    """Everyone on one board is as near as anyone: as many of those kept are above the middle as below."""
    hops = HopTables.of(graph_of([(pin, 0) for pin in range(2000)], 2000, 1))
    found, _, _ = top_expected(hops, np.arange(40, dtype=np.int32), PushPlan(1, 0.5, 8192, 0), top=10)
    assert 0.4 < (found < 1000).mean() < 0.6


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 5)), max_size=40, unique=True), st.integers(64, 300))
@settings(max_examples=60, deadline=None)
def test_rows_sum_to_one_or_to_zero_and_name_no_pin_twice(saves, budget):
    """Any small graph, any budget."""
    found, weights, _ = top_expected(
        HopTables.of(graph_of(saves, 12, 6)), np.arange(12, dtype=np.int32), PushPlan(2, 0.5, budget, 0), top=6
    )
    sums = weights.sum(axis=1, dtype=np.float64)
    assert (np.minimum(np.abs(sums), np.abs(sums - 1)) < 1e-6).all()
    for pin, row in enumerate(found.tolist()):
        real = [neighbor for neighbor in row if neighbor >= 0]
        assert len(set(real)) == len(real)
        assert pin not in real


@pytest.mark.parametrize("plan", [PushPlan(0, 0.5, 64, 0), PushPlan(2, 1.0, 64, 0), PushPlan(2, 0.5, 63, 0)])
def test_a_plan_out_of_bounds_is_refused(plan):
    """No traversal, a walk that cannot begin, too little to read."""
    with pytest.raises(SettingsError, match="cannot be computed"):
        top_expected(HopTables.of(graph_of([(0, 0)], 1, 1)), pins(0), plan, top=4)
