"""The contestants of training_step.py that run in this Python: this package, and plain gather-and-sum.

Each takes its turns as a process of its own: a line of stdin says how many steps to train, the answer is one of JSON.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from hardware import peak_gib
from torch import Tensor
from training_world import opened_world

from pinsage.batches.builder import Share
from pinsage.batches.minibatch import Minibatch
from pinsage.batches.producer import BatchProducer
from pinsage.model.network import PinSageNetwork, SubgraphTensors
from pinsage.model.shape import NetworkShape
from pinsage.settings.schema import ModelSettings, TrainSettings
from pinsage.training.data import TrainingData
from pinsage.training.device import choose_precision, keep_freed_memory
from pinsage.training.loader import Inputs, Loader
from pinsage.training.objective import Objective

CPU = torch.device("cpu")


stack = ExitStack()


class Trainer:
    """A network on its way: `steps` trains it on so many minibatches more."""

    def __init__(self, data: TrainingData, model: ModelSettings, train: TrainSettings, network: PinSageNetwork) -> None:
        self.network, self.next_step, self.losses = network, 0, list[float]()
        self._loader = self.loader(data, model, train)
        self._objective = Objective(network, train, self.inputs(data), choose_precision(train, CPU))
        self._optimizer = torch.optim.AdamW(network.parameters(), lr=train.learning_rate, fused=True)

    def loader(self, data: TrainingData, model: ModelSettings, train: TrainSettings) -> Loader:
        """The source of minibatches."""
        return Loader.of(data, model, train, share=Share(), device=CPU)

    def inputs(self, data: TrainingData) -> Inputs:
        """The part of them that the network reads."""
        return self._loader.inputs

    def steps(self, count: int) -> None:
        """Train on so many minibatches more."""
        last = self.next_step + count
        with BatchProducer(self._loader.minibatch, first=self.next_step, last=last) as producer:
            for batch in producer:
                loss = self._objective.loss(batch)
                self._optimizer.zero_grad(set_to_none=True)
                loss.backward()
                self._optimizer.step()
                self.losses.append(loss.item())
        self.next_step = last


class GatherAndSum(Trainer):
    """The same minibatches, loss and optimizer; the network written the plain way, on plain tensors.

    Unique pins and new numbers by torch.unique and searchsorted, neighbors gathered to [n, T, m], weighed and summed.
    """

    def loader(self, data: TrainingData, model: ModelSettings, train: TrainSettings) -> Loader:
        """Minibatches of targets alone."""
        resident = train.model_copy(update={"resident": "always"})
        return Loader.of(data, model, resident, share=Share(), device=CPU)

    def inputs(self, data: TrainingData) -> Inputs:
        """Nothing but the targets; the forward pass does the rest."""
        self.features = torch.from_numpy(data.features.block("visual").copy())
        self.neighbors, self.weights = (torch.from_numpy(table) for table in data.tables())
        network = self.network
        network.forward = self.forward  # type: ignore[method-assign]

        def targets(batch: Minibatch) -> tuple[Tensor, SubgraphTensors]:
            return torch.empty(0), SubgraphTensors.of(batch.subgraph, CPU)

        return targets

    def forward(self, features: Tensor, subgraph: SubgraphTensors) -> Tensor:
        """The embeddings of the targets."""
        layers = [subgraph.nodes.long()]
        for _ in self.network.convolutions:
            inner = layers[-1]
            layers.append(torch.unique(torch.cat([inner, self.neighbors[inner].flatten().long()])))
        hidden = self.network.standardize(self.features[layers[-1]])
        for number, outer in enumerate(self.network.convolutions):
            nodes, inner = layers[-1 - number], layers[-2 - number]
            own = torch.searchsorted(nodes, inner)
            near = torch.searchsorted(nodes, self.neighbors[inner].long())  # [n, T]
            projected = torch.relu(F.linear(hidden, outer.neighbor.weight, outer.neighbor.bias))
            pooled = (projected[near] * self.weights[inner][:, :, None]).sum(dim=1)  # [n, m]
            both = torch.cat([hidden[own], pooled], dim=1)
            mixed = torch.relu(F.linear(both, outer.combine.weight, outer.combine.bias))
            hidden = mixed / mixed.norm(dim=1, keepdim=True).clamp_min(1e-6)
        return self.network.head(hidden)


@dataclass(frozen=True)
class Contestant:
    """The way a contestant computes, and the negatives of its minibatches: shared ones (0: one per pair), hard ones."""

    kind: type[Trainer]
    num_negatives: int
    num_hard_negatives: int
    precision: Literal["float32", "bf16"] = "float32"


CONTESTANTS = {
    "ours": Contestant(Trainer, 500, 6),
    "gather_and_sum": Contestant(GatherAndSum, 500, 6),
    "ours_bf16": Contestant(Trainer, 500, 6, "bf16"),
    "ours_like_dgl": Contestant(Trainer, 0, 0),  # as many targets as DGL's example has
    "ours_like_dgl_bf16": Contestant(Trainer, 0, 0, "bf16"),
}


def trainer(
    name: str, folder: Path, *, batch_size: int, width: int, num_threads: int, num_neighbors: int | None = None
) -> Trainer:
    """A contestant at its first step, from the same first weights as the others."""
    torch.set_num_threads(num_threads)
    contestant, data = CONTESTANTS[name], opened_world(folder, num_neighbors)
    model = ModelSettings(num_layers=2, hidden_dim=width, embedding_dim=width // 2)
    train = TrainSettings(
        batch_size=batch_size, num_negatives=contestant.num_negatives or batch_size,
        max_hard_negatives=contestant.num_hard_negatives, curriculum=False, num_threads=num_threads, device="cpu",
        loss="max_margin", precision=contestant.precision,
    )  # fmt: skip
    shape = NetworkShape((("visual", data.features.dim),), 2, width, width // 2, "importance")
    network = PinSageNetwork(shape, seed=0)
    network.set_moments(*data.features.moments())
    if contestant.kind is Trainer:  # as `fit` has it, for as long as the process runs
        stack.enter_context(keep_freed_memory())
    return contestant.kind(data, model, train, network)


def answer(steps: Callable[[int], None], losses: list[float]) -> None:
    """Take the turns that stdin asks for."""
    for line in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        steps(int(line))
        seconds = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
        print(json.dumps({**seconds, "first_loss": losses[0], "peak_gib": peak_gib()}), flush=True)


def main() -> None:
    """`training_peers.py NAME FOLDER BATCH WIDTH THREADS`."""
    name, folder, *numbers = sys.argv[1:]
    batch_size, width, num_threads = map(int, numbers)
    if num_threads == 1:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    contestant = trainer(name, Path(folder), batch_size=batch_size, width=width, num_threads=num_threads)
    answer(contestant.steps, contestant.losses)


if __name__ == "__main__":
    main()
