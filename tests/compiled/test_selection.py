"""The largest come first, in no order."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pinsage.compiled.selection import move_largest_first


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=60, unique=True), st.data())
@settings(max_examples=100, deadline=None)
def test_selection_moves_the_largest_to_the_front(numbers, data):
    """As a set, the first `count` of the part are its largest; what is outside the part stays."""
    begin = data.draw(st.integers(0, len(numbers) - 1))
    end = data.draw(st.integers(begin, len(numbers)))
    count = data.draw(st.integers(0, end - begin))
    keys = np.array(numbers, np.uint64)
    move_largest_first(keys, begin, end, count)
    assert set(keys[begin : begin + count].tolist()) == set(sorted(numbers[begin:end], reverse=True)[:count])
    assert keys[:begin].tolist() + keys[end:].tolist() == numbers[:begin] + numbers[end:]
