"""Selection without a sort."""

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(nogil=True, cache=True)
def move_largest_first(keys: NDArray[np.uint64], begin: int, end: int, count: int) -> None:
    """Reorder keys[begin:end], all different, so that its `count` largest come first, in no order (Hoare's select)."""
    low, high, cut = begin, end - 1, begin + count
    while low < high and begin < cut < end:
        # The median of three keeps keys that are already in order from taking quadratic time.
        first, middle, last = keys[low], keys[(low + high) >> 1], keys[high]
        pivot = max(min(first, middle), min(max(first, middle), last))
        left, right = low, high
        while left <= right:
            # The pivot itself stops both scans: no bounds to check.
            while keys[left] > pivot:
                left += 1
            while keys[right] < pivot:
                right -= 1
            if left <= right:
                keys[left], keys[right] = keys[right], keys[left]
                left += 1
                right -= 1
        # Only the side with the cut goes on; what lies between `right` and `left` is in its place.
        # On average a constant factor of the keys is left out each round, so the whole is linear.
        if cut <= right:
            high = right
        elif cut > left:
            low = left
        else:
            return
