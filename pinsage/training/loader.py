"""The loader of minibatches, and the network's inputs for them on the device.

Minibatches are built by producers and copied to the device (`Streamed`), or only their targets are, and the sub-graph
is expanded there from tables that live there (`Resident`).

P pins, T neighbors, D feature columns, K layers; n_0 <= ... <= n_K as in `batches.minibatch`.
"""

import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pinsage.batches.builder import BatchBuilder, BatchSettings, Share
from pinsage.batches.memory import MemoryPool, copy_into, plain_block
from pinsage.batches.minibatch import Minibatch, NeighborSampler
from pinsage.batches.pair_source import CoMembers, ListedPairs, PairSource
from pinsage.errors import DeviceMemoryError
from pinsage.features.matrix import FeatureMatrix
from pinsage.model.network import SubgraphTensors
from pinsage.model.pooling import Transposed
from pinsage.settings.schema import ModelSettings, TrainSettings
from pinsage.training.data import TrainingData
from pinsage.training.schedule import hard_negatives_at

_ROOM = 0.5  # of the free memory of the device may hold tables; the rest is for the network and a step
_MOST_PRODUCERS = 8


class Inputs(Protocol):
    """A source of the features [n_K, D] and the sub-graph of a minibatch as tensors on the device."""

    def __call__(self, batch: Minibatch) -> tuple[Tensor, SubgraphTensors]:
        """The raw features of the sub-graph's nodes, and who pools from whom."""

    def sizes(self, batch: Minibatch) -> tuple[int, ...]:
        """n_0, ..., n_K of the sub-graph of the newest minibatch, as far as it was expanded."""


class Streamed:
    """Inputs copied from what the producer has gathered."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def __call__(self, batch: Minibatch) -> tuple[Tensor, SubgraphTensors]:
        """The arrays of the minibatch, copied where the device is not the CPU."""
        features = torch.from_numpy(batch.features).to(self._device, non_blocking=True)
        return features, SubgraphTensors.of(batch.subgraph, self._device)

    def sizes(self, batch: Minibatch) -> tuple[int, ...]:
        """Those that the producer counted."""
        return batch.subgraph.sizes


class Resident:
    """Inputs from features and neighbor tables on the device, expanded there; of a minibatch only the targets count.

    The sub-graph is the one that `batches.minibatch.NeighborSampler` makes, node by node in the same order: both ways
    add alike.
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
        # In parts, so that the host never holds the whole matrix beside the device.
        for part in np.array_split(np.arange(features.num_pins, dtype=np.int32), -(-features.num_pins // 8192)):
            self._features[part[0] : part[-1] + 1] = torch.from_numpy(features.rows(part)).to(device)
        self._neighbors = torch.from_numpy(np.array(neighbors)).to(device)
        self._weights = torch.from_numpy(np.array(weights)).to(device)
        self._positions = torch.full((features.num_pins,), -1, dtype=torch.int32, device=device)  # -1: not in the batch
        self._sizes: list[int] = []

    def __call__(self, batch: Minibatch) -> tuple[Tensor, SubgraphTensors]:
        """The sub-graph of the minibatch's targets, expanded on the device."""
        nodes = torch.from_numpy(batch.subgraph.nodes).to(self._positions.device, non_blocking=True)  # [n_0]
        self._number(nodes, 0)
        self._sizes = sizes = [0, len(nodes)]
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

    def sizes(self, batch: Minibatch) -> tuple[int, ...]:
        """Those of the last call."""
        return tuple(self._sizes[1:])

    def _number(self, pins: Tensor, first: int) -> None:
        self._positions[pins.long()] = torch.arange(first, first + len(pins), dtype=torch.int32, device=pins.device)

    def _strangers(self, pins: Tensor) -> Tensor:
        """The pins without a number yet, once each, in the order of their first appearance."""
        unknown = pins[self._positions[pins.long()] < 0]
        distinct, which = torch.unique(unknown, return_inverse=True)  # distinct pins, and which of them each is
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
    counts = torch.bincount(flat, minlength=num_nodes)  # [n_K]
    offsets = torch.zeros(num_nodes + 1, dtype=torch.int32, device=local.device)
    offsets[1:] = torch.cumsum(counts, 0)
    # Stable, so that places ascend as in `batches.kernels.transpose` and gradients are added in the same order.
    return offsets, torch.argsort(flat, stable=True).to(torch.int32)


@dataclass(frozen=True)
class Loader:
    """`minibatch` builds the minibatch of a step, for any thread; `inputs` are what the network reads for it."""

    minibatch: Callable[[int], Minibatch]
    inputs: Inputs
    is_resident: bool

    @classmethod
    def of(
        cls, data: TrainingData, model: ModelSettings, train: TrainSettings, *, share: Share, device: torch.device
    ) -> "Loader":
        """The way the settings name, or that the device's memory allows."""
        is_resident = _is_resident(data, train, device)
        memory = MemoryPool(pinned_block if device.type == "cuda" else plain_block)
        builder = _builder(data, model, train, share, None if is_resident else memory)
        build = builder.build if device.type == "cpu" else lambda step: copy_into(memory, builder.build(step))
        if not is_resident:
            return cls(build, Streamed(device), is_resident)
        neighbors, weights = data.tables()
        try:
            resident = Resident(data.features, neighbors, weights, num_layers=model.num_layers, device=device)
        except torch.OutOfMemoryError:
            raise DeviceMemoryError(
                f"train.resident is 'always', and the GPU has no room for the features and neighborhoods "
                f"({_table_bytes(data) / 1e9:.2g} GB). Use 'auto' or 'never'."
            ) from None
        return cls(build, resident, is_resident)


def num_producers(train: TrainSettings, device: torch.device, num_processes: int) -> int:
    """Threads that build minibatches: as the settings say, or one beside a CPU and most free cores beside a GPU."""
    if train.num_producers or device.type == "cpu":
        return train.num_producers or 1
    return max(1, min(_MOST_PRODUCERS, len(os.sched_getaffinity(0)) // num_processes - 1))


def pinned_block(size_bytes: int) -> memoryview:
    """A block of memory that a GPU copies from by itself, while we go on."""
    return torch.empty(size_bytes, dtype=torch.uint8, pin_memory=True).numpy().data


def _is_resident(data: TrainingData, train: TrainSettings, device: torch.device) -> bool:
    if train.resident != "auto" or device.type == "cpu":  # beside a CPU the tables are in its memory as it is
        return train.resident == "always"
    free_bytes: int = torch.cuda.mem_get_info(device)[0]
    return _table_bytes(data) < _ROOM * free_bytes


def _table_bytes(data: TrainingData) -> int:
    """The bytes of features, neighborhoods and a number per pin on the device."""
    num_numbers: int = data.features.num_pins * (data.features.dim + 1)
    return 4 * num_numbers + sum(table.nbytes for table in data.tables())


def _builder(
    data: TrainingData, model: ModelSettings, train: TrainSettings, share: Share, memory: MemoryPool | None
) -> BatchBuilder:
    """The recipe of whole minibatches, or, without memory for their features, of their targets alone."""
    neighbors, weights = data.tables()
    settings = BatchSettings(
        batch_size=train.batch_size,
        num_negatives=train.num_negatives,
        seed=train.seed,
        hard_negatives_at=partial(hard_negatives_at, settings=train),
    )

    def rows(pins: NDArray[np.int32]) -> NDArray[np.float32]:
        if memory is None:
            return np.empty((len(pins), 0), np.float32)
        return data.features.rows(pins, memory.array((len(pins), data.features.dim)))

    sampler = NeighborSampler(neighbors, weights, num_layers=model.num_layers if memory else 0)
    return BatchBuilder(
        _pair_source(data, train), sampler, rows, settings=settings, candidates=data.candidates(), share=share
    )


def _pair_source(data: TrainingData, train: TrainSettings) -> PairSource:
    if data.boards is not None:
        return CoMembers(data.boards, batch_size=train.batch_size, seed=train.seed)
    return ListedPairs(data.train, batch_size=train.batch_size, seed=train.seed)
