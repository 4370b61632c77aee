"""Open addressing: where a 32-bit key is in a table of 2 ** bits places.

An entry is a 64-bit word with its key in the upper half, or 0 where the place is free; a key whose place is taken goes
to the next free one.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pinsage.compiled.hash import HALF, LOW


@njit(nogil=True, cache=True)
def place_of(key: np.uint64, bits: int) -> np.int64:
    """The first place to look for a 32-bit key in a hash table of 2 ** bits places (Fibonacci hashing)."""
    return np.int64(((key * np.uint64(2654435769)) & LOW) >> np.uint64(32 - bits))


# Inlined before compilation: called from the innermost loops, a function would count references to the table each time.
@njit(nogil=True, cache=True, inline="always")
def find(entries: NDArray[np.uint64], bits: int, base: int, key: np.uint64) -> np.int64:
    """Find the place of a key in the table that begins at `base`, or the free place for it."""
    # Relies on a free place: whoever makes a table makes it larger than the keys it will hold.
    mask, place = (np.int64(1) << bits) - 1, place_of(key, bits)
    entry = entries[base + place]
    while (entry >> HALF != key) & (entry != 0):  # one branch, not two: which one ends it cannot be predicted
        # The next place, not a second hash: it is in the same cache line most of the time.
        place = (place + 1) & mask
        entry = entries[base + place]
    return base + place
