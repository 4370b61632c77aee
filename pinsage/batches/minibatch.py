"""The sub-graph of one minibatch as rectangular arrays (PinSage Algorithm 2, lines 1-6).

P pins, T neighbors, D feature columns, K layers, B pairs, S shared negatives, h hard negatives per query.
n_0 <= n_1 <= ... <= n_K are the sizes of the nested node sets: n_0 targets, n_K nodes whose features are read.

A pin keeps one position in all layers: the targets come first, then the pins that the first expansion adds, and so on.
So the nodes of every layer are a prefix of one list, "self" is a slice instead of a gather, and one table of local
neighbors serves every layer.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

Pins = NDArray[np.int32]
FeatureRows = Callable[[Pins], NDArray[np.float32]]


@dataclass(frozen=True)
class Transpose:
    """The neighbor table of a layer read the other way: who pools from a node. The backward pass pools over it.

    Attributes:
        offsets: int32 [n + 1]; the entries of node j are `positions[offsets[j]:offsets[j + 1]]`.
        positions: int32 [n_outputs * T], places in the flattened neighbor table, ascending within a node.
    """

    offsets: NDArray[np.int32]
    positions: NDArray[np.int32]


@dataclass(frozen=True)
class Subgraph:
    """What the network must touch to embed some targets.

    Attributes:
        nodes: int32 [n_K], pins without repetition, the targets first.
        sizes: n_0, ..., n_K.
        neighbors: int32 [n_{K-1}, T], positions in `nodes`; row i belongs to `nodes[i]`. [n_0, 0] when K = 0.
        weights: float32 [n_{K-1}, T], importance weights, 0 for padding.
        transposes: one per layer, the layer of the n_{K-1} outputs first; empty when not asked for.
    """

    nodes: Pins
    sizes: tuple[int, ...]
    neighbors: NDArray[np.int32]
    weights: NDArray[np.float32]
    transposes: tuple[Transpose, ...] = ()


@dataclass(frozen=True)
class Minibatch:
    """Everything one training step needs, in arrays that only have to be copied to the device.

    Positions index the first n_0 nodes of `subgraph`. A mask is True where a negative counts, False where it is the
    positive or the query itself. The logarithms of expected counts correct the sampled softmax (logQ).

    Attributes:
        features: float32 [n_K, D].
        query, positive: int32 [B], positions.
        negatives: int32 [S], positions, shared by all queries.
        hard_negatives: int32 [B, h], positions.
        negative_mask, hard_mask, positive_mask: bool [B, S], [B, h] and [B, B] (the positives of the other queries).
        positive_log_q, negative_log_q: [B], [S], of the features' type. `hard_log_q` holds for every hard negative.
        num_replaced: hard negatives that were drawn at random because the query has too few candidates.
    """

    step: int
    subgraph: Subgraph
    features: NDArray[np.float32]
    query: NDArray[np.int32]
    positive: NDArray[np.int32]
    negatives: NDArray[np.int32]
    hard_negatives: NDArray[np.int32]
    negative_mask: NDArray[np.bool_]
    hard_mask: NDArray[np.bool_]
    positive_mask: NDArray[np.bool_]
    positive_log_q: NDArray[np.float32]
    negative_log_q: NDArray[np.float32]
    hard_log_q: float
    num_replaced: int


class Expander:
    """Expands targets into sub-graphs. Holds one stamp per pin, so it belongs to one thread."""

    def __init__(self, neighbors: NDArray[np.int32], weights: NDArray[np.float32], *, num_layers: int) -> None:
        self._neighbors = neighbors
        self._weights = weights
        self._num_layers = num_layers
        self._stamps = np.zeros(len(neighbors), np.int64)
        self._positions = np.zeros(len(neighbors), np.int32)
        self._stamp = 0

    def expand(self, targets: Pins, *, transposed: bool = False) -> tuple[Subgraph, NDArray[np.int32]]:
        """The sub-graph of `targets`, and the position of each target in it.

        Args:
            targets: int32 [n], repetitions allowed.
            transposed: also give each layer's transpose, for training.

        Returns:
            The sub-graph, with unique targets in order of first appearance, and int32 [n] positions.

        Source: PinSage Algorithm 2, lines 1-6.
        """
        self._stamp += 1
        nodes, positions = _unique(targets, self._stamps, self._positions, self._stamp)
        sizes, tables = [len(nodes)], [np.empty((0, self._neighbors.shape[1]), np.int32)]
        for layer in range(self._num_layers):
            first = 0 if layer == 0 else sizes[-2]
            added, table = _expand(nodes[first:], self._neighbors, self._stamps, self._positions, self._stamp)
            nodes = np.concatenate([nodes, added])
            sizes.append(len(nodes))
            tables.append(table)
        local = np.concatenate(tables)
        weights = gathered(self._weights, nodes[: len(local)])
        transposes = self._transposes(local, sizes) if transposed else ()
        return Subgraph(nodes, tuple(sizes), local, weights, transposes), positions

    def _transposes(self, local: NDArray[np.int32], sizes: list[int]) -> tuple[Transpose, ...]:
        inner_first = range(len(sizes) - 1, 0, -1)
        return tuple(Transpose(*_transpose(local[: sizes[k - 1]], sizes[k])) for k in inner_first)


def gathered(table: NDArray[np.float32], pins: Pins) -> NDArray[np.float32]:
    """The rows of a table, read by a kernel that lets other threads run.

    Args:
        table: float32 [P, C], may be a memory map.
        pins: int32 [n].

    Returns:
        float32 [n, C].
    """
    rows: NDArray[np.float32] = _gather(table, pins)
    return rows


@numba.njit(nogil=True, cache=True)
def _unique(targets, stamps, positions, stamp):  # type: ignore[no-untyped-def]
    nodes = np.empty(len(targets), np.int32)
    places = np.empty(len(targets), np.int32)
    count = 0
    for i, pin in enumerate(targets):
        if stamps[pin] != stamp:
            stamps[pin] = stamp
            positions[pin] = count
            nodes[count] = pin
            count += 1
        places[i] = positions[pin]
    return nodes[:count].copy(), places


@numba.njit(nogil=True, cache=True)
def _expand(rows, neighbors, stamps, positions, stamp):  # type: ignore[no-untyped-def]
    """The pins that the neighbors of `rows` add, and the local neighbor table of `rows`.

    `rows` are the nodes that the previous expansion added; they are the last ones numbered so far.
    """
    num_neighbors = neighbors.shape[1]
    table = np.empty((len(rows), num_neighbors), np.int32)
    added = np.empty(min(len(rows) * num_neighbors, len(stamps)), np.int32)
    next_position = positions[rows[-1]] + 1 if len(rows) else 0
    count = 0
    for i in range(len(rows)):
        for t in range(num_neighbors):
            pin = neighbors[rows[i], t]
            if stamps[pin] != stamp:
                stamps[pin] = stamp
                positions[pin] = next_position + count
                added[count] = pin
                count += 1
            table[i, t] = positions[pin]
    return added[:count].copy(), table


@numba.njit(nogil=True, cache=True)
def _transpose(local, num_nodes):  # type: ignore[no-untyped-def]
    flat = local.ravel()
    offsets = np.zeros(num_nodes + 1, np.int32)
    for node in flat:
        offsets[node + 1] += 1
    for node in range(num_nodes):
        offsets[node + 1] += offsets[node]
    cursor = offsets[:-1].copy()
    order = np.empty(len(flat), np.int32)
    for place, node in enumerate(flat):
        order[cursor[node]] = place
        cursor[node] += 1
    return offsets, order


@numba.njit(nogil=True, cache=True)
def _gather(table, pins):  # type: ignore[no-untyped-def]
    rows = np.empty((len(pins), table.shape[1]), table.dtype)
    for i in range(len(pins)):
        for c in range(table.shape[1]):
            rows[i, c] = table[pins[i], c]
    return rows
