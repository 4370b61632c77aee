"""The number of steps of a training, and their size."""

import pytest

from pinsage.settings.schema import TrainSettings
from pinsage.training.schedule import resolve_settings


@pytest.mark.parametrize(
    ("choices", "steps", "every"),
    [
        ({"epochs": 20, "batch_size": 256}, 79, 3),
        ({"epochs": 0.001, "batch_size": 256}, 1, 1),
        ({"epochs": 2.5, "batch_size": 10}, 250, 12),
        ({"epochs": 20, "steps": 40}, 40, 2),
        ({"steps": 40, "validate_every": 7}, 40, 7),
        ({"batch_size": 100}, 100, 5),
    ],
)
def test_a_thousand_pairs_give_as_many_steps(choices, steps, every):
    """Whole epochs, rounded up; `steps` goes before; twenty looks unless the settings say another interval."""
    found = resolve_settings(TrainSettings(**choices), num_pairs=1000, num_pins=5000)
    assert (found.steps, found.validate_every) == (steps, every)


@pytest.mark.parametrize(("num_pairs", "epochs"), [(40_000, 10), (1_000_000, 4.1), (100_000_000, 1)])
def test_the_data_set_the_length_where_the_settings_do_not(num_pairs, epochs):
    """Ten epochs of a small set, one of a huge one, about two thousand steps between."""
    found = resolve_settings(TrainSettings(batch_size=2048), num_pairs=num_pairs, num_pins=10**6)
    assert found.steps * found.batch_size / num_pairs == pytest.approx(epochs, rel=0.05)


def test_a_small_set_gets_small_minibatches_and_no_more_negatives_than_pins():
    """Fifty pairs of thirty pins: minibatches of four, a power of two, so that processes can share them."""
    found = resolve_settings(TrainSettings(batch_size=2048, num_negatives=2000), num_pairs=50, num_pins=30)
    assert (found.batch_size, found.num_negatives, found.steps) == (4, 30, 125)
    assert resolve_settings(TrainSettings(batch_size=2048), num_pairs=1, num_pins=30).batch_size == 2
