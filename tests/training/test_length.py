"""How many steps a training has."""

import pytest

from pinsage.settings import TrainSettings
from pinsage.training.length import in_steps


@pytest.mark.parametrize(
    ("choices", "steps", "every"),
    [
        ({"epochs": 20, "batch_size": 256}, 79, 3),
        ({"epochs": 0.001, "batch_size": 256}, 1, 1),
        ({"epochs": 2.5, "batch_size": 10}, 250, 12),
        ({"epochs": 20, "steps": 40}, 40, 2),
        ({"steps": 40, "validate_every": 7}, 40, 7),
    ],
)
def test_a_thousand_pairs_give_as_many_steps(choices, steps, every):
    """Whole epochs, rounded up; `steps` goes before; twenty looks unless the settings say another interval."""
    found = in_steps(TrainSettings(**choices), 1000)
    assert (found.steps, found.validate_every) == (steps, every)
