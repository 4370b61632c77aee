"""The loader of minibatches: built by producers and copied to the device, or expanded there from resident tables."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from pinsage.batches.memory import ReusedMemory, held_in, plain_block
from pinsage.batches.minibatch import Expander, Minibatch
from pinsage.batches.pair_source import CoMembers, ListedPairs, PairSource
from pinsage.batches.recipe import BatchRecipe, BatchSettings, Share
from pinsage.settings import ModelSettings, TrainSettings
from pinsage.training.curriculum import hard_negatives_at
from pinsage.training.data import TrainingData
from pinsage.training.inputs import Inputs, Resident, Streamed

_ROOM = 0.5  # of the free memory of the device may hold tables; the rest is for the network and a step
_MOST_PRODUCERS = 8


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
        memory = ReusedMemory(pinned_block if device.type == "cuda" else plain_block)
        recipe = _recipe(data, model, train, share, None if is_resident else memory)
        build = recipe.minibatch if device.type == "cpu" else lambda step: held_in(memory, recipe.minibatch(step))
        if not is_resident:
            return cls(build, Streamed(device), is_resident)
        neighbors, weights = data.tables()
        num_layers = model.num_layers
        resident = Resident(data.features, neighbors, weights, num_layers=num_layers, device=device)
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
    needed = data.features.num_pins * 4 * (data.features.dim + 1) + sum(table.nbytes for table in data.tables())
    return bool(needed < _ROOM * free_bytes)


def _recipe(
    data: TrainingData, model: ModelSettings, train: TrainSettings, share: Share, memory: ReusedMemory | None
) -> BatchRecipe:
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

    expander = Expander(neighbors, weights, num_layers=model.num_layers if memory else 0)
    return BatchRecipe(
        _pair_source(data, train), expander, rows, settings=settings, candidates=data.candidates(), share=share
    )


def _pair_source(data: TrainingData, train: TrainSettings) -> PairSource:
    if data.boards is not None:
        return CoMembers(data.boards, batch_size=train.batch_size, seed=train.seed)
    return ListedPairs(data.train, batch_size=train.batch_size, seed=train.seed)
