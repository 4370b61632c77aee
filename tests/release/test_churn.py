"""The share of neighbors that two models have in common, with all pins alike or weighted by their saves."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from pinsage.catalog.ids import PinIds
from pinsage.release.difference import kept_neighbors

NUM_PINS = 40


class Ring:
    """A pin goes with those after it; pin 0, if asked so, with those before it."""

    pin_ids = PinIds(pa.array([f"{pin:02d}" for pin in range(NUM_PINS)]))

    def __init__(self, *, turned: bool = False) -> None:
        self.turned = turned

    def related(self, pin_id: str, k: int = 10) -> SimpleNamespace:
        pin, step = int(pin_id), -1 if self.turned and pin_id == "00" else 1
        return SimpleNamespace(pin_ids=[f"{(pin + step * place) % NUM_PINS:02d}" for place in range(1, k + 1)])


def test_without_weights_every_pin_counts_alike():
    """One of 40 pins has other neighbors."""
    assert kept_neighbors(Ring(), Ring()) == 1
    assert kept_neighbors(Ring(), Ring(turned=True)) == pytest.approx(39 / 40)


def test_a_pin_with_many_saves_counts_as_often_as_it_is_seen():
    """With 39 saves it is drawn as often as all others together, which have none."""
    saves = np.zeros(NUM_PINS, np.int64)
    saves[0] = NUM_PINS - 2
    assert kept_neighbors(Ring(), Ring(turned=True), saves=saves) == pytest.approx(0.5, abs=0.06)
    assert kept_neighbors(Ring(), Ring(), saves=saves) == 1
