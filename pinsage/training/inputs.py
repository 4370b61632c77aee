"""The network's inputs for a minibatch, on the device: copied there, or taken from tables that live there.

P pins, T neighbors, D feature columns, K layers; n_0 <= ... <= n_K as in `batches.minibatch`.
"""

from collections import deque
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pinsage.batches.minibatch import Minibatch
from pinsage.features.matrix import FeatureMatrix
from pinsage.model.network import SubgraphTensors
from pinsage.model.pooling import Transposed


class Inputs(Protocol):
    """A source of the features [n_K, D] and the sub-graph of a minibatch as tensors on the device."""

    def __call__(self, batch: Minibatch) -> tuple[Tensor, SubgraphTensors]:
        """The raw features of the sub-graph's nodes, and who pools from whom."""


class Streamed:
    """Inputs copied from what the producer has gathered."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def __call__(self, batch: Minibatch) -> tuple[Tensor, SubgraphTensors]:
        """The arrays of the minibatch, copied where the device is not the CPU."""
        features = torch.from_numpy(batch.features).to(self._device, non_blocking=True)
        return features, SubgraphTensors.of(batch.subgraph, self._device)


class Resident:
    """Inputs from features and neighbor tables on the device, expanded there; of a minibatch only the targets count.

    The sub-graph is the one `batches.minibatch.Expander` makes, node by node in the same order: both ways add alike.
    """

    def __init__(
        self,
        features: FeatureMatrix,
        neighbors: NDArray[np.int32],
        weights: NDArray[np.float32],
        *,
        num_layers: int,
        device: torch.device,
    ) -> None:
        """Copy features, float32 [P, D], `neighbors` and `weights`, [P, T] each, to the device."""
        self._num_layers = num_layers
        self._features = torch.empty((features.num_pins, features.dim), device=device)
        for part in np.array_split(np.arange(features.num_pins, dtype=np.int32), -(-features.num_pins // 8192)):
            self._features[part[0] : part[-1] + 1] = torch.from_numpy(features.rows(part)).to(device)
        self._neighbors = torch.from_numpy(np.array(neighbors)).to(device)
        self._weights = torch.from_numpy(np.array(weights)).to(device)
        self._positions = torch.full((features.num_pins,), -1, dtype=torch.int32, device=device)  # -1: not in the batch

    def __call__(self, batch: Minibatch) -> tuple[Tensor, SubgraphTensors]:
        """The sub-graph of the minibatch's targets, expanded on the device."""
        nodes = torch.from_numpy(batch.subgraph.nodes).to(self._positions.device, non_blocking=True)
        self._number(nodes, 0)
        sizes = [0, len(nodes)]
        for _ in range(self._num_layers):
            added = self._strangers(self._neighbors[nodes[sizes[-2] :].long()].flatten())
            self._number(added, sizes[-1])
            nodes = torch.cat([nodes, added])
            sizes.append(len(nodes))
        inner = nodes[: sizes[-2]].long()
        local = self._positions[self._neighbors[inner].long()]  # [n_{K-1}, T]
        # Only what was set is cleared; filling the whole table would cost a write per pin of the catalog.
        self._positions[nodes.long()] = -1
        counts = tuple(sizes[1:])
        transposes = tuple(_transpose(local[: counts[k - 1]], counts[k]) for k in range(self._num_layers, 0, -1))
        return self._features[nodes.long()], SubgraphTensors(nodes, counts, local, self._weights[inner], transposes)

    def _number(self, pins: Tensor, first: int) -> None:
        self._positions[pins.long()] = torch.arange(first, first + len(pins), dtype=torch.int32, device=pins.device)

    def _strangers(self, pins: Tensor) -> Tensor:
        """The pins without a number yet, once each, in the order of their first appearance."""
        unknown = pins[self._positions[pins.long()] < 0]
        distinct, which = torch.unique(unknown, return_inverse=True)
        places = torch.arange(len(unknown), device=pins.device)
        earliest = torch.full_like(distinct, len(unknown), dtype=torch.int64).scatter_reduce_(0, which, places, "amin")
        in_order: Tensor = distinct[torch.argsort(earliest)]
        return in_order


class InFlight:
    """Minibatches whose copies to a GPU may still be under way: until they are done, their memory is not free."""

    def __init__(self) -> None:
        self._held: deque[tuple[torch.cuda.Event, Minibatch]] = deque()

    def hold(self, batch: Minibatch) -> None:
        """Keep `batch`, all of whose copies are queued by now, and let go of those that have been copied."""
        while self._held and self._held[0][0].query():  # type: ignore[no-untyped-call]
            self._held.popleft()
        copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
        copied.record()
        self._held.append((copied, batch))


def _transpose(local: Tensor, num_nodes: int) -> Transposed:
    flat = local.flatten()
    counts = torch.bincount(flat, minlength=num_nodes)
    offsets = torch.zeros(num_nodes + 1, dtype=torch.int32, device=local.device)
    offsets[1:] = torch.cumsum(counts, 0)
    # Stable, so that places ascend as in `batches.kernels.transpose` and gradients are added in the same order.
    return offsets, torch.argsort(flat, stable=True).to(torch.int32)
