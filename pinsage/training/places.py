"""The places of positives among candidates, for several strengths of popularity at once.

V queries, C candidates, G terms.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

_BLOCK = 512  # candidates between two looks at whether the place is known to be bad enough


def places(
    scores: NDArray[np.float32], terms: NDArray[np.float32], positive: NDArray[np.int32], *, enough: int
) -> NDArray[np.float64]:
    """The candidates that score higher than the positive, and half of the others that score the same: float64 [G, V].

    Where at least `enough` candidates score higher, the place is some number from `enough` on. A score that is no
    number counts as higher, so that a broken network has no hits.

    Args:
        scores: float32 [V, C]; -inf for who is no candidate.
        terms: float32 [G, C], each added to every row of scores.
        positive: int32 [V], the column of each positive.
    """
    found: NDArray[np.float64] = _places(scores, terms, positive, enough)
    return found


@njit(nogil=True, cache=True)
def _places(scores: NDArray[np.float32], terms: NDArray[np.float32], positive: NDArray[np.int32], enough: int) -> Any:
    found = np.empty((len(terms), len(scores)))
    for row in range(len(scores)):
        for index in range(len(terms)):
            found[index, row] = _place(scores[row], terms[index], positive[row], enough)
    return found


@njit(nogil=True, cache=True)
def _place(scores: NDArray[np.float32], term: NDArray[np.float32], positive: int, enough: int) -> float:
    target, not_higher, same = scores[positive] + term[positive], 0, 0
    for first in range(0, len(scores), _BLOCK):
        last = min(first + _BLOCK, len(scores))
        for pin in range(first, last):
            score = scores[pin] + term[pin]
            not_higher += score <= target
            same += score == target
        if last - not_higher >= enough:  # most positives are far down, and the first blocks show it
            return float(last - not_higher)
    return float(len(scores) - not_higher) + max(same - 1, 0) / 2  # the positive is one of those that score the same
