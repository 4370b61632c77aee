"""The population stability index: the difference of two distributions over the same bins.

PSI = Σ (p - q) · ln(p / q). Below 0.1 is called small, above 0.25 large, by the convention of credit scoring.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

_PRIOR = 0.5  # counted in every bin beforehand, so that an empty one gives no infinity


def stability_index(before: ArrayLike, now: ArrayLike) -> float:
    """The index of two lists of counts over the same bins; 0 where they are in proportion.

    Args:
        before, now: counts [n].
    """
    shares = [_shares(np.asarray(counts, np.float64)) for counts in (before, now)]
    return float(np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0])))


def degree_histogram(degrees: NDArray[np.integer]) -> list[int]:
    """The number of pins with 0, 1, 2-3, 4-7, ... saves: 32 counts, since degrees span powers of ten.

    Args:
        degrees: [P].
    """
    edges = np.array([0, *(2**power for power in range(31)), np.iinfo(np.int64).max])
    return [int(count) for count in np.histogram(degrees, edges)[0]]


def _shares(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = (counts + _PRIOR) / (counts.sum() + _PRIOR * len(counts))
    return shares
