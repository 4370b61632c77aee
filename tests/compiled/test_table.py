"""A table by open addressing answers as a dictionary does."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pinsage.compiled.table import find


@given(st.lists(st.integers(1, 2**32 - 1), max_size=7))
@settings(max_examples=100, deadline=None)
def test_what_was_put_into_a_table_is_found_there(keys):
    """Whatever collides; a key that is not there leads to a free place of the same table, never of its neighbor."""
    entries, base = np.zeros(24, np.uint64), 8  # the middle one of three tables
    for key in keys:
        entries[find(entries, 3, base, np.uint64(key))] = np.uint64(key << 32)
    assert sorted(entries[entries > 0].tolist()) == sorted(key << 32 for key in set(keys))
    assert not entries[:8].any()
    assert not entries[16:].any()
    assert all(entries[find(entries, 3, base, np.uint64(key))] == key << 32 for key in keys)
