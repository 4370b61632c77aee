"""How long a training is, in steps."""

import math

from pinsage.settings import TrainSettings

_LOOKS = 20  # at the validation pairs, where the settings do not say how often


def in_steps(train: TrainSettings, num_pairs: int) -> TrainSettings:
    """The settings with `steps` and `validate_every` as numbers above 0, for `num_pairs` training pairs an epoch."""
    steps = train.steps or max(1, math.ceil(train.epochs * num_pairs / train.batch_size))
    return train.model_copy(update={"steps": steps, "validate_every": train.validate_every or max(1, steps // _LOOKS)})
