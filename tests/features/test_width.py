"""The width of vectors that the settings leave to the data."""

import pytest

from pinsage.features.width import MOST_NUMBERS, vector_width


@pytest.mark.parametrize(
    ("num_pins", "width"),
    [(3, 256), (1_048_576, 256), (1_048_577, 128), (10_000_000, 128)],
)
def test_the_widest_that_fits_is_taken(num_pins, width):
    """A GiB of float32 holds the vectors of all pins, until even the narrowest do not fit."""
    assert vector_width("auto", num_pins) == width
    assert num_pins * width <= MOST_NUMBERS or width == 128


def test_a_width_that_was_chosen_stays():
    """Also none at all, and one that the memory does not hold."""
    assert vector_width(0, 10) == 0
    assert vector_width(1024, 10_000_000) == 1024
