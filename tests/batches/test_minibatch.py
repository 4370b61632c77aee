"""The expansion of targets into a sub-graph."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinsage.batches.minibatch import NeighborSampler
from pinsage.errors import ArtifactDamagedError, UnknownPinError

RNG = np.random.default_rng(0)
P, T = 50, 3
NEIGHBORS = RNG.integers(P, size=(P, T), dtype=np.int32)
WEIGHTS = RNG.random((P, T), dtype=np.float32)


def slow_layers(targets, num_layers):
    """The node set of every layer, as sets."""
    layers = [set(targets.tolist())]
    for _ in range(num_layers):
        layers.append(layers[-1] | {int(v) for u in layers[-1] for v in NEIGHBORS[u]})
    return layers


@pytest.mark.parametrize("num_layers", [0, 1, 2, 3])
def test_the_nodes_of_each_layer_are_the_expanded_set(num_layers):
    """A prefix of the node list holds each layer's pins, every pin once."""
    targets = np.array([7, 3, 7, 20], np.int32)
    subgraph, positions = NeighborSampler(NEIGHBORS, WEIGHTS, num_layers=num_layers).sample(targets)
    assert len(set(subgraph.nodes.tolist())) == len(subgraph.nodes)
    for size, expected in zip(subgraph.sizes, slow_layers(targets, num_layers), strict=True):
        assert set(subgraph.nodes[:size].tolist()) == expected
    assert subgraph.nodes[positions].tolist() == targets.tolist()
    assert subgraph.nodes[:3].tolist() == [7, 3, 20]


def test_local_neighbors_are_the_same_pins_with_the_same_weights():
    """Re-indexing changes numbers, not the graph."""
    subgraph, _ = NeighborSampler(NEIGHBORS, WEIGHTS, num_layers=2).sample(np.array([4, 9], np.int32))
    inner = subgraph.nodes[: subgraph.sizes[1]]
    np.testing.assert_array_equal(subgraph.nodes[subgraph.neighbors], NEIGHBORS[inner])
    np.testing.assert_array_equal(subgraph.weights, WEIGHTS[inner])


def test_one_expander_serves_many_batches():
    """What a batch leaves in the stamps does not show in the next one."""
    sampler = NeighborSampler(NEIGHBORS, WEIGHTS, num_layers=2)
    sampler.sample(np.arange(P, dtype=np.int32))
    used, _ = sampler.sample(np.array([4, 9], np.int32))
    fresh, _ = NeighborSampler(NEIGHBORS, WEIGHTS, num_layers=2).sample(np.array([4, 9], np.int32))
    np.testing.assert_array_equal(used.nodes, fresh.nodes)
    np.testing.assert_array_equal(used.neighbors, fresh.neighbors)


def test_a_transpose_lists_who_pools_from_each_node():
    """Every entry of a layer's neighbor table appears once, under its node, in ascending order."""
    subgraph, _ = NeighborSampler(NEIGHBORS, WEIGHTS, num_layers=2).sample(np.array([4, 9], np.int32), transposed=True)
    for layer, transpose in enumerate(subgraph.transposes):
        flat = subgraph.neighbors[: subgraph.sizes[1 - layer]].ravel()
        assert len(transpose.offsets) == subgraph.sizes[2 - layer] + 1
        for node in range(subgraph.sizes[2 - layer]):
            places = transpose.positions[transpose.offsets[node] : transpose.offsets[node + 1]]
            np.testing.assert_array_equal(places, np.nonzero(flat == node)[0])


def test_pins_that_only_know_themselves_end_the_expansion():
    """Isolated pins, padded with themselves, add no nodes."""
    alone = np.repeat(np.arange(5, dtype=np.int32)[:, None], 2, axis=1)
    subgraph, _ = NeighborSampler(alone, np.zeros((5, 2), np.float32), num_layers=3).sample(np.array([2, 4], np.int32))
    assert subgraph.sizes == (2, 2, 2, 2)
    assert subgraph.neighbors.tolist() == [[0, 0], [1, 1]]


def test_rows_of_a_memory_map_are_gathered(tmp_path):
    """The kernels read what the stages publish: read-only memory maps."""
    np.save(tmp_path / "neighbors.npy", NEIGHBORS)
    np.save(tmp_path / "weights.npy", WEIGHTS)
    neighbors, weights = (np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("neighbors", "weights"))
    mapped, _ = NeighborSampler(neighbors, weights, num_layers=2).sample(np.array([4], np.int32))
    plain, _ = NeighborSampler(NEIGHBORS, WEIGHTS, num_layers=2).sample(np.array([4], np.int32))
    np.testing.assert_array_equal(mapped.nodes, plain.nodes)
    np.testing.assert_array_equal(mapped.weights, WEIGHTS[mapped.nodes[: mapped.sizes[1]]])


def slow_expansion(targets, neighbors, num_layers):
    """Nodes in order of first appearance, sizes, and the local table, with a dictionary and lists."""
    place = {}
    for pin in targets.tolist():
        place.setdefault(pin, len(place))
    sizes, table = [len(place)], []
    for _ in range(num_layers):
        for pin in list(place)[len(table) :]:
            for near in neighbors[pin].tolist():
                place.setdefault(near, len(place))
            table.append([place[near] for near in neighbors[pin].tolist()])
        sizes.append(len(place))
    return list(place), tuple(sizes), table


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 40), st.integers(1, 6), st.integers(0, 4), st.integers(1, 12))
def test_an_expansion_equals_the_slow_one(seed, num_pins, width, num_layers, num_targets):
    """Order, sizes and table, whatever the sizes, from one sampler that has been used before."""
    rng = np.random.default_rng(seed)
    neighbors = rng.integers(num_pins, size=(num_pins, width), dtype=np.int32)
    sampler = NeighborSampler(neighbors, np.ones((num_pins, width), np.float32), num_layers=num_layers)
    for targets in rng.integers(num_pins, size=(3, num_targets), dtype=np.int32):
        subgraph, _ = sampler.sample(targets)
        nodes, sizes, table = slow_expansion(targets, neighbors, num_layers)
        assert (subgraph.nodes.tolist(), subgraph.sizes) == (nodes, sizes)
        assert subgraph.neighbors.tolist() == table


def test_threads_may_share_an_expander():
    """Four threads at once get what one alone gets."""
    rng = np.random.default_rng(1)
    neighbors, weights = rng.integers(5000, size=(5000, 20), dtype=np.int32), np.ones((5000, 20), np.float32)
    sampler, targets = (
        NeighborSampler(neighbors, weights, num_layers=2),
        rng.integers(5000, size=(64, 30), dtype=np.int32),
    )
    alone = [sampler.sample(some)[0] for some in targets]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda some: sampler.sample(some)[0], targets))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.nodes, other.nodes)
        np.testing.assert_array_equal(one.neighbors, other.neighbors)


def test_stamps_begin_again_when_they_run_out():
    """After 2^31 - 1 minibatches the marks are cleared, and the next expansion is right."""
    sampler = NeighborSampler(NEIGHBORS, WEIGHTS, num_layers=2)
    sampler.sample(np.array([4, 9], np.int32))
    marks = sampler._marks()
    marks._stamp = 2**31 - 2
    for _ in range(3):
        used, _ = sampler.sample(np.array([9, 4], np.int32))
        assert used.nodes.tolist() == slow_expansion(np.array([9, 4]), NEIGHBORS, 2)[0]
    assert marks._stamp == 2


@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("stray", [-1, P, 2**31 - 1])
def test_a_pin_that_is_not_there_is_refused(stray, num_layers):
    """As a target or in the table of neighbors: an error with the numbers, not a crash."""
    neighbors = NEIGHBORS.copy()
    neighbors[neighbors[7, 1], 2] = stray
    sampler = NeighborSampler(neighbors, WEIGHTS, num_layers=num_layers)
    if num_layers > 1:
        with pytest.raises(ArtifactDamagedError, match=f"name pin {stray}, but pins run from 0 to 49"):
            sampler.sample(np.array([7], np.int32))
    with pytest.raises(UnknownPinError, match="from 0 to 49"):
        sampler.sample(np.array([7, stray], np.int32))
