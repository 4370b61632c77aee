"""Training: minibatches in, a fitted network out (PinSage §3.3).

Differs from the paper: AdamW takes the place of plain SGD, which needs a learning rate per data set; the network
returned is the one with the highest validation hit rate, not the last one.
"""

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from pinsage.batches.minibatch import Expander
from pinsage.batches.producer import BatchProducer
from pinsage.batches.recipe import BatchRecipe, BatchSettings
from pinsage.model.network import NetworkShape, PinSageNetwork
from pinsage.settings import ModelSettings, TrainSettings
from pinsage.training.checkpoint import Checkpoints
from pinsage.training.curriculum import hard_negatives_at
from pinsage.training.data import TrainingData, checked_moments
from pinsage.training.device import chosen_device, use_threads
from pinsage.training.interruption import TerminationNotice
from pinsage.training.pace import Pace
from pinsage.training.state import CurvePoint, TrainingState, ValidationPoint
from pinsage.training.steps import LogMetrics, Steps


@dataclass(frozen=True)
class Fitted:
    """A trained network, in evaluation mode on the training device, and how it came about.

    Attributes:
        network: with the weights of the highest validation hit rate; the last ones without validation pairs.
        curve, validation: what was seen on the way, resumed parts included.
        steps: all steps of the training. `resumed_from`: the step this process began at, 0 if it began anew.
        device: cpu or cuda.
        pairs_per_s, wait_share: of this process; see Pace.
        num_replaced: hard negatives drawn at random for want of candidates.
    """

    network: PinSageNetwork
    curve: list[CurvePoint]
    validation: list[ValidationPoint]
    steps: int
    resumed_from: int
    device: str
    pairs_per_s: float
    wait_share: float
    num_replaced: int

    @property
    def best_hit_rate(self) -> float | None:
        """The validation hit rate at 10 of the returned weights; None without validation pairs."""
        return max((point.hit_rate_at_10 for point in self.validation), default=None)


def fit(
    data: TrainingData,
    model: ModelSettings,
    train: TrainSettings,
    *,
    scratch: Path | None = None,
    log_metrics: LogMetrics | None = None,
) -> Fitted:
    """The network that the settings make of the data.

    Args:
        data: features, neighborhoods and pairs of one catalog.
        model: the network. `num_layers` = 0 is the dense head on the content alone.
        train: losses, negatives and optimization.
        scratch: a folder for checkpoints, from which the same training goes on after a kill. None: no checkpoints.
        log_metrics: told the metrics of a step every `log_every` steps and at every validation.

    Raises:
        InputError: the data cannot be trained on, or a GPU is asked for and absent.
        TrainingDivergedError: the loss became NaN or infinite.
        TrainingInterruptedError: the process was told to end (SIGTERM).
    """
    device = chosen_device(train)
    use_threads(train)
    state = _start(data, model, train)
    state.network.to(device)
    checkpoints = Checkpoints(scratch, _digest(data, model, train)) if scratch else None
    first = checkpoints.restore(state) if checkpoints else 0
    steps = Steps(data, train, state, checkpoints, log_metrics or _log_nothing)
    minibatch = _recipe(data, model, train).minibatch
    with TerminationNotice() as notice, BatchProducer(minibatch, first=first, last=train.steps) as producer:
        pace = Pace(producer, batch_size=train.batch_size, first=first, last=train.steps)
        steps.run(producer, pace, notice)
    if state.best is not None:
        state.network.load_state_dict(state.best)
    return Fitted(
        network=state.network.eval(),
        curve=state.curve,
        validation=state.validation,
        steps=state.step,
        resumed_from=first,
        device=device.type,
        pairs_per_s=pace.pairs_per_s,
        wait_share=pace.wait_share,
        num_replaced=state.num_replaced,
    )


def _start(data: TrainingData, model: ModelSettings, train: TrainSettings) -> TrainingState:
    """The state before the first step."""
    moments = checked_moments(data, model.num_layers)
    network = PinSageNetwork(_shape(data, model), seed=train.seed)
    network.set_moments(*moments)
    optimizer = torch.optim.AdamW(network.parameters(), lr=train.learning_rate, weight_decay=train.weight_decay)
    return TrainingState(network, optimizer)


def _recipe(data: TrainingData, model: ModelSettings, train: TrainSettings) -> BatchRecipe:
    neighbors, weights = data.tables()
    most = train.max_hard_negatives
    settings = BatchSettings(
        batch_size=train.batch_size,
        num_negatives=train.num_negatives,
        seed=train.seed,
        hard_negatives_at=partial(hard_negatives_at, steps=train.steps, most=most),
    )
    return BatchRecipe(
        data.train,
        Expander(neighbors, weights, num_layers=model.num_layers),
        data.features.rows,
        settings=settings,
        candidates=data.candidates(),
    )


def _shape(data: TrainingData, model: ModelSettings) -> NetworkShape:
    return NetworkShape(
        blocks=tuple(data.features.widths.items()),
        num_layers=model.num_layers,
        hidden_dim=model.hidden_dim,
        embedding_dim=model.embedding_dim,
        pooling=model.pooling,
        id_dim=model.id_dim if _has_ids(data, model) else 0,
        num_pins=data.features.num_pins if _has_ids(data, model) else 0,
    )


def _has_ids(data: TrainingData, model: ModelSettings) -> bool:
    """Whether each pin gets a vector of its own."""
    if model.id_embedding == "auto":
        return not data.features.has_content
    return model.id_embedding == "always"


def _digest(data: TrainingData, model: ModelSettings, train: TrainSettings) -> str:
    """Names the training that a checkpoint belongs to: the settings that decide the result, and the data's outline."""
    pairs = zlib.crc32(data.train.positive.tobytes(), zlib.crc32(data.train.query.tobytes()))
    outline = [data.features.num_pins, data.features.widths, data.tables()[0].shape[1], len(data.validation), pairs]
    text = json.dumps([model.content(), train.content(), outline], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _log_nothing(metrics: Mapping[str, float], step: int) -> None:
    """No experiment is being tracked."""
