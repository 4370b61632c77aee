"""The sub-graph of one minibatch as rectangular arrays (PinSage Algorithm 2, lines 1-6).

P pins, T neighbors, D feature columns, K layers, B pairs, S shared negatives, h hard negatives per query.
n_0 <= n_1 <= ... <= n_K are the sizes of the nested node sets: n_0 targets, n_K nodes whose features are read.

A pin keeps one position in all layers: the targets come first, then the pins that the first expansion adds, and so on.
So the nodes of every layer are a prefix of one list, "self" is a slice instead of a gather, and one table of local
neighbors serves every layer.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pinsage.batches import kernels
from pinsage.errors import ArtifactDamagedError
from pinsage.store.arrays import check_pins

Pins = NDArray[np.int32]
FeatureRows = Callable[[Pins], NDArray[np.float32]]

_LAST_STAMP = 2**31 - 1


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
    """The nodes and edges that the network reads to embed some targets.

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
    """The arrays of one training step, which only have to be copied to the device.

    Positions index the first n_0 nodes of `subgraph`. A mask is True where a negative counts, False where it is the
    positive or the query itself. The logarithms of expected counts correct the sampled softmax (logQ).

    Where several processes train together, b of the B pairs and s of the S shared negatives are this process's own; the
    sub-graph embeds those alone, and masks and logarithms are about all of them. Otherwise b = B and s = S.

    Attributes:
        features: float32 [n_K, D].
        query, positive: int32 [b], positions.
        negatives: int32 [s], positions, shared by all queries.
        hard_negatives: int32 [b, h], positions.
        own: the b pairs among the B.
        negative_mask, hard_mask, positive_mask: bool [b, S], [b, h] and [b, B] (the positives of the other queries).
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
    own: slice
    negative_mask: NDArray[np.bool_]
    hard_mask: NDArray[np.bool_]
    positive_mask: NDArray[np.bool_]
    positive_log_q: NDArray[np.float32]
    negative_log_q: NDArray[np.float32]
    hard_log_q: float
    num_replaced: int


class NeighborSampler:
    """An expansion of targets into sub-graphs. Threads may share one: each gets marks of its own, 12 bytes per pin."""

    def __init__(self, neighbors: NDArray[np.int32], weights: NDArray[np.float32], *, num_layers: int) -> None:
        """Expand `num_layers` times over `neighbors` and `weights`: [P, T] each, arrays or memory maps."""
        # Plain arrays over the same memory: the kernels do not know memory maps as a type of their own.
        self._neighbors, self._weights = np.asarray(neighbors), np.asarray(weights)
        self._num_layers = num_layers
        self._threads = threading.local()

    def sample(self, targets: Pins, *, transposed: bool = False) -> tuple[Subgraph, NDArray[np.int32]]:
        """The sub-graph of `targets`, and the position of each target in it.

        Args:
            targets: int32 [n], repetitions allowed.
            transposed: also give each layer's transpose, for training.

        Returns:
            The sub-graph, with unique targets in order of first appearance, and int32 [n] positions.

        Raises:
            UnknownPinError: a target is not a pin of the table.
            ArtifactDamagedError: a neighbor is not.

        Source: PinSage Algorithm 2, lines 1-6.
        """
        check_pins(targets, len(self._neighbors))
        marks = self._marks()
        # Neighbors are checked by the kernel on its way, targets above: both are numbers that it would write to.
        nodes, positions, sizes, local, weights, stray = kernels.expand(
            targets,
            self._neighbors,
            self._weights,
            marks.marks,
            marks.nodes,
            marks.next_stamp(),
            self._num_layers,
        )
        if stray != kernels.NONE_STRAY:
            raise ArtifactDamagedError(
                f"The neighborhoods name pin {stray}, but pins run from 0 to {len(self._neighbors) - 1}. Delete the "
                "artifact of the walk stage; the next run makes it again."
            )
        counts = tuple(sizes.tolist())
        return Subgraph(nodes, counts, local, weights, _transposes(local, counts) if transposed else ()), positions

    def _marks(self) -> "_Marks":
        # Marks are made in the thread that uses them, so that no lock is taken for a minibatch.
        if not hasattr(self._threads, "marks"):
            self._threads.marks = _Marks(len(self._neighbors))
        marks: _Marks = self._threads.marks
        return marks


class _Marks:
    """The position of each pin in the current batch (see `kernels`), and space for its nodes. One thread's own."""

    def __init__(self, num_pins: int) -> None:
        self.marks, self.nodes = np.zeros(num_pins, np.int64), np.empty(num_pins, np.int32)
        self._stamp = 0

    def next_stamp(self) -> int:
        # A stamp that began anew would take old marks for its own; clearing once in 2^31 batches costs nothing.
        if self._stamp == _LAST_STAMP:
            self.marks[:], self._stamp = 0, 0
        self._stamp += 1
        return self._stamp


def _transposes(local: NDArray[np.int32], sizes: tuple[int, ...]) -> tuple[Transpose, ...]:
    # The nodes of an inner layer come first, so its table is a prefix of the one for all layers.
    inner_first = range(len(sizes) - 1, 0, -1)
    return tuple(Transpose(*kernels.transpose(local[: sizes[k - 1]], sizes[k])) for k in inner_first)
