"""The schedule of a training: its length, and the learning rate and hard negatives of each step (PinSage §3.3)."""

import logging
import math

from pinsage.settings.schema import TrainSettings

log = logging.getLogger(__name__)
_LOOKS = 20  # at the validation pairs, where the settings do not say how often
# Where the settings name no length: small sets stop gaining before ten epochs, and in large ones an epoch is long.
_MOST_EPOCHS, _ENOUGH_STEPS = 10, 2000
_BATCHES_OF_AN_EPOCH = 8  # of a set that would not fill one minibatch


def learning_rate_at(step: int, settings: TrainSettings) -> float:
    """The rate at a step: a linear rise over the warm-up share, then exponential decay to the final share of the peak.

    Source: PinSage §3.3, gradual warm-up and exponential decay; counted in steps, not epochs.
    """
    warmup, peak = round(settings.warmup_share * settings.steps), peak_rate(settings)
    if step < warmup:
        return peak * ((step + 1) / warmup)
    # From 0 at the end of the warm-up to 1 at the last step, which then has the final share exactly.
    progress = (step - warmup) / max(1, settings.steps - 1 - warmup)
    return float(peak * settings.final_rate_share**progress)


def peak_rate(settings: TrainSettings) -> float:
    """The highest rate, in proportion to the batch size where the settings say which size the rate is meant for.

    Source: PinSage §3.3, linear scaling rule; Goyal et al., 2017.
    """
    meant_for = settings.rate_batch_size or settings.batch_size
    return settings.learning_rate * (settings.batch_size / meant_for)


def hard_negatives_at(step: int, settings: TrainSettings) -> int:
    """Hard negatives per query at a step: none in the first of n + 1 equal stages, one more in each next one.

    n is `max_hard_negatives`. Without the curriculum every step draws n.

    Differs from the paper: stages are shares of the steps, not epochs; on a large set training ends within one epoch.

    Source: PinSage §3.3.
    """
    most = settings.max_hard_negatives
    return min(most, step * (most + 1) // settings.steps) if settings.curriculum else most


def resolve_settings(train: TrainSettings, *, num_pairs: int, num_pins: int) -> TrainSettings:
    """The settings with `steps`, `validate_every`, `batch_size` and `num_negatives` made for a data set.

    Args:
        train: as a person wrote them.
        num_pairs: pairs of an epoch.
        num_pins: pins that negatives are drawn from; there are at most as many negatives.
    """
    batch_size = train.batch_size
    if batch_size > num_pairs:  # a power of two, which most numbers of processes divide
        batch_size = 2 ** max(1, (num_pairs // _BATCHES_OF_AN_EPOCH).bit_length() - 1)
    num_negatives = min(train.num_negatives, num_pins)
    if (batch_size, num_negatives) != (train.batch_size, train.num_negatives):
        log.info("train: %d pairs and %d negatives a step, for %d pairs and %d pins",
                 batch_size, num_negatives, num_pairs, num_pins)  # fmt: skip
    steps = train.steps or _num_steps(train.epochs, max(1, num_pairs) / batch_size)
    return train.model_copy(update={
        "batch_size": batch_size,
        "num_negatives": num_negatives,
        "steps": steps,
        "validate_every": train.validate_every or max(1, steps // _LOOKS),
    })  # fmt: skip


def _num_steps(epochs: float, steps_per_epoch: float) -> int:
    """Steps of so many epochs; of 0, which leaves it to the data: ten, or fewer, but one at least, of a large set."""
    if not epochs:
        epochs = min(_MOST_EPOCHS, max(1, _ENOUGH_STEPS / steps_per_epoch))
    return max(1, math.ceil(epochs * steps_per_epoch))
