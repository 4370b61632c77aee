"""One training step after the other, and what is due between two of them."""

from collections.abc import Callable, Mapping

import numpy as np
import torch

from pinsage.batches.minibatch import Minibatch
from pinsage.batches.producer import BatchProducer
from pinsage.errors import TrainingDivergedError
from pinsage.settings import TrainSettings
from pinsage.training.checkpoint import Checkpoints
from pinsage.training.curriculum import hard_negatives_at
from pinsage.training.data import TrainingData
from pinsage.training.interruption import TerminationNotice, TrainingInterruptedError
from pinsage.training.objective import minibatch_loss
from pinsage.training.pace import Pace
from pinsage.training.schedule import learning_rate_at
from pinsage.training.state import CurvePoint, TrainingState
from pinsage.training.validation import Validator

LogMetrics = Callable[[Mapping[str, float], int], None]


class Steps:
    """The steps of one training, and what is due between them: a point of the curve, a validation, a checkpoint."""

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
        """Take every step whose minibatch the producer gives.

        Raises:
            TrainingDivergedError: the loss became NaN or infinite.
            TrainingInterruptedError: the process was told to end.
        """
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
