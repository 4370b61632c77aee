"""The settings of a training as numbers, from those that leave something to the data."""

import logging
import math

from pinsage.settings import TrainSettings

log = logging.getLogger(__name__)
_LOOKS = 20  # at the validation pairs, where the settings do not say how often
# Where the settings name no length: small sets stop gaining before ten epochs, and in large ones an epoch is long.
_MOST_EPOCHS, _ENOUGH_STEPS = 10, 2000
_BATCHES_OF_AN_EPOCH = 8  # of a set that would not fill one minibatch


def for_data(train: TrainSettings, *, num_pairs: int, num_pins: int) -> TrainSettings:
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
