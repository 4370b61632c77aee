"""The agreement of two ranked lists of pins.

Letters: Q pairs of lists, K pins of a list.
"""

import numpy as np
from numpy.typing import NDArray

PERSISTENCE = 0.9  # the first ten ranks have 86 % of the weight


def common_pins(ours: NDArray[np.int64], theirs: NDArray[np.int64]) -> NDArray[np.int64]:
    """The number of pins that both lists have among their first d, for d from 1 to K.

    Args:
        ours, theirs: [Q, K], each pin at most once in a row; negative numbers are padding.

    Returns:
        int64 [Q, K].
    """
    depth = ours.shape[1]
    is_same = (ours[:, :, None] == theirs[:, None, :]) & (ours[:, :, None] >= 0)  # [Q, K, K]
    deeper = np.maximum.outer(np.arange(depth), np.arange(depth))  # from which depth on a pair of ranks counts
    found = np.stack([is_same[:, deeper == d].sum(axis=1) for d in range(depth)], axis=1)
    return np.cumsum(found, axis=1)


def rank_biased_overlap(ours: NDArray[np.int64], theirs: NDArray[np.int64]) -> NDArray[np.float64]:
    """The extrapolated rank-biased overlap of lists, from 0 (nothing in common) to 1 (the same order).

    A change at the top weighs more than one at the end. Lists of different lengths are compared to the end of the
    shorter one, and two lists of which one is empty agree if both are.

    Args:
        ours, theirs: [Q, K], as for `common_pins`; padding stands at the end.

    Returns:
        float64 [Q].

    Source: Webber, Moffat and Zobel, "A similarity measure for indefinite rankings", TOIS 2010, equation 32.
    """
    lengths = np.stack([(lists >= 0).sum(axis=1) for lists in (ours, theirs)])  # [2, Q]
    ends = lengths.min(axis=0)  # [Q]
    depths = np.arange(1, ours.shape[1] + 1)  # [K]
    shares = common_pins(ours, theirs) / depths  # [Q, K]
    weights = PERSISTENCE**depths * (depths <= ends[:, None])  # [Q, K]
    last = np.take_along_axis(shares, np.maximum(ends - 1, 0)[:, None], axis=1)[:, 0]  # [Q]
    found = last * PERSISTENCE**ends + (1 - PERSISTENCE) / PERSISTENCE * (shares * weights).sum(axis=1)
    overlaps: NDArray[np.float64] = np.where(ends > 0, found, lengths.max(axis=0) == 0)
    return overlaps
