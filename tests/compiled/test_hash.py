"""Orders of numbers that can be undone."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pinsage.compiled.hash import scramble, unscramble


@given(st.integers(0, 2**31 - 1), st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_scrambling_can_be_undone(pin, key):
    """A pin is found again from its scrambled number."""
    pin, key = np.uint64(pin), np.uint64(key)
    assert unscramble(scramble(pin, key), key) == pin
