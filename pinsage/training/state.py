"""The state that training carries from one step to the next; a checkpoint is this and nothing else.

Minibatches are a function of the seed and the step, and the network draws no random numbers, so there is no generator
state to carry.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from pinsage.model.network import PinSageNetwork

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class CurvePoint:
    """One point of the training curve: `loss` is the mean since the point before, `step` counts finished steps."""

    step: int
    loss: float
    learning_rate: float
    hard_negatives: int


@dataclass(frozen=True)
class ValidationPoint:
    """The hit rate at 10 on validation pairs after `step` steps, with popularity of that strength in the score."""

    step: int
    hit_rate_at_10: float
    popularity: float


@dataclass
class TrainingState:
    """The network and the optimizer after `step` steps, and what has been seen on the way.

    `best` are the weights with the highest validation hit rate so far, None before the first look. `pending` are the
    losses since the last point of the curve.
    """

    network: PinSageNetwork
    optimizer: torch.optim.AdamW
    step: int = 0
    best: Weights | None = None
    best_hit_rate: float = -1.0
    num_replaced: int = 0
    pending: list[float] = field(default_factory=list)
    curve: list[CurvePoint] = field(default_factory=list)
    validation: list[ValidationPoint] = field(default_factory=list)

    def has_stalled(self, patience: int) -> bool:
        """True if the last `patience` looks at the validation pairs brought no gain; never if that is 0."""
        rates = [point.hit_rate_at_10 for point in self.validation]
        return 0 < patience <= len(rates) - 1 - rates.index(max(rates)) if rates else False

    def record_validation(self, hit_rate: float, popularity: float) -> None:
        """Write down a validation hit rate, and keep the weights if it is the highest so far."""
        self.validation.append(ValidationPoint(self.step, hit_rate, popularity))
        if hit_rate > self.best_hit_rate:
            self.best_hit_rate = hit_rate
            self.best = copy_weights(self.network)


def copy_weights(network: torch.nn.Module) -> Weights:
    """A copy of every parameter and buffer by name, on the CPU, that later steps do not change."""
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in network.state_dict().items()}
