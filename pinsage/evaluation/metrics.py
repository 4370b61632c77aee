"""From the ranks of positives to figures: hit rate, scaled MRR, and the spread of an embedding space.

A rank counts from 1 over all pins except the query. Letters: N pairs.
"""

import numpy as np
from numpy.typing import NDArray

from pinsage.errors import InputError


def hit_rate(ranks: NDArray[np.int64], k: int) -> float:
    """The share of pairs whose positive is among the first `k` pins, 0 to 1.

    Args:
        ranks: int64 [N], at least one.
        k: how many pins are looked at.

    Raises:
        InputError: there are no pairs.

    Source: PinSage §4.2.
    """
    return float(np.mean(_some(ranks) <= k))


def scaled_mrr(ranks: NDArray[np.int64], scale: int = 100) -> float:
    """The mean of 1/⌈rank/scale⌉, above 0 to 1: a rank up to `scale` counts 1, up to twice that a half, and so on.

    Args:
        ranks: int64 [N], at least one.
        scale: the paper's 100, which keeps differences at high ranks of a huge catalog from vanishing.

    Raises:
        InputError: there are no pairs.

    Source: PinSage §4.2.
    """
    return float(np.mean(1 / np.ceil(_some(ranks) / scale)))


def excess_kurtosis(values: NDArray[np.float32]) -> float:
    """The kurtosis of a sample minus that of a normal distribution; 0 where all values are equal.

    Of the cosines of random pairs of pins, a low figure means that the embeddings use the space evenly. It must be the
    excess that the paper reports, since its 0.43 lies below 1, the smallest plain kurtosis there is.

    Source: PinSage §4.3, Figure 3.
    """
    away = values.astype(np.float64) - values.mean(dtype=np.float64)
    variance = float(np.mean(away**2))
    return float(np.mean(away**4)) / variance**2 - 3 if variance > 1e-12 else 0.0


def _some(ranks: NDArray[np.int64]) -> NDArray[np.int64]:
    if len(ranks) == 0:
        raise InputError("0 pairs have no metrics. Give validation and test pairs a share above 0.")
    return ranks
