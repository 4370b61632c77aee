"""Training: minibatches in, a fitted network out (PinSage §3.3).

Differs from the paper: AdamW takes the place of plain SGD, which needs a learning rate per data set; the network
returned is the one with the highest validation hit rate, not the last one.
"""

import hashlib
import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from pinsage.batches.minibatch import Expander, Minibatch
from pinsage.batches.producer import BatchProducer
from pinsage.batches.recipe import BatchRecipe, BatchSettings
from pinsage.errors import TrainingDivergedError
from pinsage.model.network import NetworkShape, PinSageNetwork
from pinsage.settings import ModelSettings, TrainSettings
from pinsage.training.checkpoint import Checkpoints
from pinsage.training.curriculum import hard_negatives_at
from pinsage.training.data import TrainingData, checked_moments
from pinsage.training.device import chosen_device, use_threads
from pinsage.training.interruption import TerminationNotice, TrainingInterruptedError
from pinsage.training.objective import minibatch_loss
from pinsage.training.pace import Pace
from pinsage.training.schedule import learning_rate_at
from pinsage.training.state import CurvePoint, TrainingState, ValidationPoint
from pinsage.training.validation import Validator

LogMetrics = Callable[[Mapping[str, float], int], None]


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
    moments = checked_moments(data, model.num_layers)
    network = PinSageNetwork(_shape(data, model), seed=train.seed)
    network.set_moments(*moments)
    network.to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=train.learning_rate, weight_decay=train.weight_decay)
    state = TrainingState(network, optimizer)
    checkpoints = Checkpoints(scratch, _digest(data, model, train)) if scratch else None
    resumed_from = checkpoints.restore(state) if checkpoints else 0
    training = _Training(data, train, state, checkpoints, log_metrics or _log_nothing)
    recipe = _recipe(data, model, train)
    first, last = resumed_from, train.steps
    with TerminationNotice() as notice, BatchProducer(recipe.minibatch, first=first, last=last) as producer:
        pace = Pace(producer, batch_size=train.batch_size, first=first, last=last)
        training.run(producer, pace, notice)
    if state.best is not None:
        network.load_state_dict(state.best)
    return Fitted(
        network=network.eval(),
        curve=state.curve,
        validation=state.validation,
        steps=state.step,
        resumed_from=resumed_from,
        device=device.type,
        pairs_per_s=pace.pairs_per_s,
        wait_share=pace.wait_share,
        num_replaced=state.num_replaced,
    )


class _Training:
    """The steps of one training, and what is due between them."""

    def __init__(
        self,
        data: TrainingData,
        settings: TrainSettings,
        state: TrainingState,
        checkpoints: Checkpoints | None,
        log_metrics: LogMetrics,
    ) -> None:
        self._settings, self._state, self._checkpoints = settings, state, checkpoints
        self._log_metrics = log_metrics
        self._losses: list[torch.Tensor] = []  # on the device, not yet looked at
        neighbors, weights = data.tables()
        self._validator = Validator(
            data.validation,
            data.features.rows,
            neighbors=neighbors,
            weights=weights,
            limit=settings.validation_pairs,
            seed=settings.seed,
        )

    def run(self, producer: BatchProducer, pace: Pace, notice: TerminationNotice) -> None:
        for batch in producer:
            self._step(batch)
            self._record(pace)
            self._validate()
            pace.tick(self._state.curve[-1].loss if self._state.curve else None)
            self._keep(notice)

    def _step(self, batch: Minibatch) -> None:
        state, settings = self._state, self._settings
        for group in state.optimizer.param_groups:
            group["lr"] = learning_rate_at(batch.step, settings)
        state.network.train()
        loss = minibatch_loss(state.network, batch, settings)
        state.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        state.optimizer.step()
        self._losses.append(loss.detach())
        state.num_replaced += batch.num_replaced
        state.step = batch.step + 1

    def _record(self, pace: Pace) -> None:
        """Every `log_every` steps, and at the last one, a point of the curve."""
        state, settings = self._state, self._settings
        if not self._due(settings.log_every):
            return
        self._read_losses()
        loss, state.pending = float(np.mean(state.pending)), []
        step = state.step - 1
        hard = hard_negatives_at(step, steps=settings.steps, most=settings.max_hard_negatives)
        point = CurvePoint(state.step, loss, learning_rate_at(step, settings), hard)
        state.curve.append(point)
        metrics = {
            "train/loss": point.loss,
            "train/learning_rate": point.learning_rate,
            "train/hard_negatives": float(hard),
            "train/pairs_per_s": pace.pairs_per_s,
            "train/wait_share": pace.wait_share,
        }
        self._log_metrics(metrics, state.step)

    def _validate(self) -> None:
        state = self._state
        if not len(self._validator) or not self._due(self._settings.validate_every):
            return
        self._read_losses()
        state.look(self._validator.hit_rate(state.network.eval()))
        self._log_metrics({"validation/hit_rate_at_10": state.validation[-1].hit_rate_at_10}, state.step)

    def _keep(self, notice: TerminationNotice) -> None:
        """A checkpoint when one is due, and when the process has been told to end."""
        if not notice.received and not self._due(self._settings.checkpoint_every):
            return
        self._read_losses()
        if self._checkpoints:
            self._checkpoints.save(self._state)
        if notice.received and self._state.step < self._settings.steps:
            where = "A checkpoint was written; run the stage again to go on from it." if self._checkpoints else ""
            raise TrainingInterruptedError(
                f"Training was told to end at step {self._state.step} of {self._settings.steps}. {where}".rstrip()
            )

    def _due(self, every: int) -> bool:
        return self._state.step % every == 0 or self._state.step == self._settings.steps

    def _read_losses(self) -> None:
        """Fetch the losses from the device, all at once: asking after every step would make a GPU wait."""
        if not self._losses:
            return
        losses = torch.stack(self._losses).double().cpu().numpy()
        first = self._state.step - len(losses)
        self._losses = []
        bad = ~np.isfinite(losses)
        if bad.any():
            raise self._diverged(first + int(bad.argmax()), float(losses[bad.argmax()]))
        self._state.pending.extend(losses.tolist())

    def _diverged(self, step: int, loss: float) -> TrainingDivergedError:
        last = self._checkpoints.last if self._checkpoints else None
        return TrainingDivergedError(
            f"The loss of step {step} is {loss} (seed of the minibatch: {self._settings.seed}, {step}; "
            f"last checkpoint: {last or 'none'}). "
            f"Lower train.learning_rate ({self._settings.learning_rate}) or look at the features."
        )


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
    )


def _digest(data: TrainingData, model: ModelSettings, train: TrainSettings) -> str:
    """Names the training that a checkpoint belongs to: the settings that decide the result, and the data's outline."""
    pairs = zlib.crc32(data.train.positive.tobytes(), zlib.crc32(data.train.query.tobytes()))
    outline = [data.features.num_pins, data.features.widths, data.tables()[0].shape[1], len(data.validation), pairs]
    text = json.dumps([model.content(), train.content(), outline], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _log_nothing(metrics: Mapping[str, float], step: int) -> None:
    """No experiment is being tracked."""
