"""The steps of a training, one after the other, what is due between two of them, and their pace."""

import time
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from pinsage.batches.minibatch import Minibatch
from pinsage.batches.producer import BatchProducer
from pinsage.errors import TrainingDivergedError
from pinsage.progress import LogMetrics, OnProgress, Progress, log_nothing
from pinsage.training.checkpoint import Checkpoints
from pinsage.training.device import explain_full_device, return_freed_memory
from pinsage.training.distributed import Ranks
from pinsage.training.interruption import TerminationNotice, TrainingInterruptedError
from pinsage.training.loader import InFlight
from pinsage.training.objective import Objective
from pinsage.training.schedule import hard_negatives_at, learning_rate_at
from pinsage.training.state import CurvePoint, TrainingState
from pinsage.training.validation import Validator

_STEPS_BETWEEN_RETURNS = 20  # of freed memory: a tenth of a second, against gigabytes that pile up on large sub-graphs


class Pace:
    """A count of the steps since training began, or was resumed at step `first`, and their pace."""

    def __init__(
        self, producer: BatchProducer[Minibatch], on_progress: OnProgress, *, batch_size: int, first: int, last: int
    ) -> None:
        self._producer, self._on_progress, self._batch_size = producer, on_progress, batch_size
        self.first, self._last = first, last
        self._started = time.monotonic()
        self._done = 0

    @property
    def pairs_per_s(self) -> float:
        """Training pairs per second, looks at the validation pairs included."""
        return self._done * self._batch_size / self._seconds

    @property
    def wait_share(self) -> float:
        """Share of the time that was spent waiting for the producer, from 0 to 1."""
        return self._producer.wait_s / self._seconds

    @property
    def _seconds(self) -> float:
        return max(time.monotonic() - self._started, 1e-9)

    def count(self) -> None:
        """Count one step."""
        self._done += 1

    def report(self, loss: float | None) -> None:
        """Report how far training is. `loss` is the newest one known."""
        rate = self._done / self._seconds
        step = self.first + self._done
        known = "" if loss is None else f"loss {loss:.4f}, "
        note = f"{known}{self.pairs_per_s:,.0f} pairs/s, {self.wait_share:.0%} waiting for minibatches"
        self._on_progress(Progress("train", "steps", step, self._last, rate, (self._last - step) / rate, note))


@dataclass(frozen=True)
class Callbacks:
    """The callbacks of a training: the checkpoints, if there is a place for them, and the tracker."""

    checkpoints: Checkpoints | None
    log_metrics: LogMetrics

    def of(self, ranks: Ranks) -> "Callbacks":
        """The callbacks of a process: only the first one among several writes and tells."""
        return self if ranks.is_first else Callbacks(None, log_nothing)


class Steps:
    """The steps of one training, and what is due between them: a point of the curve, a validation, a checkpoint."""

    def __init__(self, state: TrainingState, objective: Objective, validator: Validator, callbacks: Callbacks) -> None:
        self._state, self._objective, self._validator = state, objective, validator
        self._settings, self._ranks = objective.settings, objective.ranks
        self._checkpoints, self._log_metrics = callbacks.checkpoints, callbacks.log_metrics
        self._in_flight = InFlight() if state.network.mean.is_cuda else None
        self._losses: list[torch.Tensor] = []  # on the device, not yet looked at

    def run(self, producer: BatchProducer[Minibatch], pace: Pace, notice: TerminationNotice) -> None:
        """Take the steps whose minibatches the producer gives, until patience ends.

        Raises:
            TrainingDivergedError: the loss became NaN or infinite.
            TrainingInterruptedError: the process was told to end.
            DeviceMemoryError: a step does not fit the GPU.
        """
        sizes = self._objective.inputs.sizes
        for batch in producer:
            with explain_full_device(batch, partial(sizes, batch), self._state.network.shape, self._settings):
                self._step(batch)
                self._validate()
            pace.count()
            if self._due(_STEPS_BETWEEN_RETURNS):
                return_freed_memory()
            self._record(pace)
            pace.report(self._state.curve[-1].loss if self._state.curve else None)
            # All processes must agree to end at this step: one that went on alone would wait for the others for ever.
            self._keep(is_told_to_end=self._ranks.any(notice.received))
            if self._is_over:
                return

    def _step(self, batch: Minibatch) -> None:
        state = self._state
        for group in state.optimizer.param_groups:
            # A function of the step, not a scheduler: a resumed training has no state to restore.
            group["lr"] = learning_rate_at(batch.step, self._settings)
        state.network.train()
        loss = self._objective.loss(batch)
        state.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        state.optimizer.step()
        self._losses.append(loss.detach())
        state.num_replaced += batch.num_replaced
        state.step = batch.step + 1
        if self._in_flight:
            self._in_flight.hold(batch)

    def _validate(self) -> None:
        state = self._state
        if not len(self._validator) or not self._due(self._settings.validate_every):
            return
        self._read_losses()
        found = self._validator.best_hit_rate(state.network.eval()) if self._ranks.is_first else (0.0, 0.0)
        # All ranks ask, though the first one alone has looked: one that skipped would leave it waiting.
        state.record_validation(*map(self._ranks.broadcast, found))
        look = state.validation[-1]
        metrics = {"validation/hit_rate_at_10": look.hit_rate_at_10, "validation/popularity": look.popularity}
        self._log_metrics(metrics, state.step)

    def _record(self, pace: Pace) -> None:
        """Every `log_every` steps, and at the last one, a point of the curve."""
        state, settings = self._state, self._settings
        if not self._due(settings.log_every) and not self._is_over:
            return
        self._read_losses()
        loss, state.pending = float(np.mean(state.pending)), []
        step = state.step - 1  # the one just taken, whose rate and curriculum these are
        point = CurvePoint(state.step, loss, learning_rate_at(step, settings), hard_negatives_at(step, settings))
        state.curve.append(point)
        metrics = {
            "train/loss": point.loss,
            "train/learning_rate": point.learning_rate,
            "train/hard_negatives": float(point.hard_negatives),
            "train/pairs_per_s": pace.pairs_per_s,
            "train/wait_share": pace.wait_share,
        }
        self._log_metrics(metrics, state.step)

    def _keep(self, *, is_told_to_end: bool) -> None:
        """A checkpoint when one is due, at the end, and when a process has been told to end."""
        if not is_told_to_end and not self._due(self._settings.checkpoint_every) and not self._is_over:
            return
        self._read_losses()
        if self._checkpoints:
            self._checkpoints.save(self._state)
        if is_told_to_end and not self._is_over:
            where = "A checkpoint was written; run the stage again to go on from it." if self._checkpoints else ""
            raise TrainingInterruptedError(
                f"Training was told to end at step {self._state.step} of {self._settings.steps}. {where}".rstrip()
            )

    @property
    def _is_over(self) -> bool:
        return self._state.step == self._settings.steps or self._state.has_stalled(self._settings.patience)

    def _due(self, every: int) -> bool:
        return self._state.step % every == 0 or self._state.step == self._settings.steps

    def _read_losses(self) -> None:
        """Fetch the losses from the device, all at once: asking after every step would make a GPU wait."""
        if not self._losses:
            return
        losses = self._ranks.mean(torch.stack(self._losses)).double().cpu().numpy()
        first = self._state.step - len(losses)
        self._losses = []
        bad = ~np.isfinite(losses)
        if bad.any():
            raise self._divergence(first + int(bad.argmax()), float(losses[bad.argmax()]))
        self._state.pending.extend(losses.tolist())

    def _divergence(self, step: int, loss: float) -> TrainingDivergedError:
        last = self._checkpoints.last if self._checkpoints else None
        return TrainingDivergedError(
            f"The loss of step {step} is {loss} (seed of the minibatch: {self._settings.seed}, {step}; "
            f"last checkpoint: {last or 'none'}). "
            f"Lower train.learning_rate ({self._settings.learning_rate}) or look at the features."
        )
