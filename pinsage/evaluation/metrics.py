"""From the ranks of positives to figures: hit rate, MRR, NDCG, recall, and the spread of an embedding space.

A rank counts from 1 over all candidates; ranks of equal scores end in a half where they must. Letters: N positives,
R rows (queries or boards), P pins.
"""

import numpy as np
from numpy.typing import NDArray

from pinsage.evaluation.pin_lists import PinLists

Ranks = NDArray[np.float64]


def hits(ranks: Ranks, k: int) -> NDArray[np.float64]:
    """1 where the positive is among the first `k` pins, else 0; float64 [N]. Their mean is the hit rate (§4.2)."""
    return (ranks <= k).astype(np.float64)


def hit_rate(ranks: Ranks, k: int) -> float:
    """The share of positives among the first `k` pins; of no positives it is NaN.

    Source: PinSage §4.2.
    """
    return float(hits(ranks, k).mean()) if len(ranks) else float("nan")


def reciprocal_ranks(ranks: Ranks, scale: int = 1) -> NDArray[np.float64]:
    """1/⌈rank/scale⌉ of each positive, float64 [N]; the plain reciprocal rank where the scale is 1.

    The mean is the MRR. With the paper's scale of 100 a rank up to 100 counts 1, up to 200 a half, and so on, which
    keeps differences at high ranks of a huge catalog from vanishing.

    Source: PinSage §4.2.
    """
    return 1 / (ranks if scale == 1 else np.ceil(ranks / scale))


def scaled_mrr(ranks: Ranks, scale: int = 100) -> float:
    """The mean of 1/⌈rank/scale⌉; of no positives it is NaN."""
    return float(reciprocal_ranks(ranks, scale).mean()) if len(ranks) else float("nan")


def discounts(ranks: Ranks, k: int) -> NDArray[np.float64]:
    """1/log2(1 + rank) of each positive among the first `k`, else 0; float64 [N]: the NDCG@k of a single positive."""
    return np.where(ranks <= k, 1 / np.log2(1 + ranks), 0)


def recall(ranks: Ranks, positives: PinLists, k: int) -> NDArray[np.float64]:
    """The share of each row's positives that are among the first `k` pins, float64 [R]; 0 where there are none."""
    found = np.bincount(positives.rows, hits(ranks, k), len(positives))  # [R]
    return found / np.maximum(positives.lengths, 1)


def ndcg(ranks: Ranks, positives: PinLists, k: int) -> NDArray[np.float64]:
    """The discounted gain of each row over the best it could be with as many positives, float64 [R].

    Source: LightGCN's evaluation (He et al., SIGIR 2020): the best has min(number of positives, k) hits.
    """
    gains = np.bincount(positives.rows, discounts(ranks, k), len(positives))  # [R]
    best = np.concatenate([[1.0], np.cumsum(1 / np.log2(2 + np.arange(k)))])  # of 0 positives nothing is found either
    shares: NDArray[np.float64] = gains / best[np.minimum(positives.lengths, k)]
    return shares


def coverage(top: NDArray[np.int32], num_pins: int) -> float:
    """The share of all pins that are among the best of any row; `top` int32 [R, k], padded with -1."""
    return len(np.unique(top[top >= 0])) / max(num_pins, 1)


def popularity_percentiles(pin_degrees: NDArray[np.int64]) -> NDArray[np.float64]:
    """The share of pins on fewer boards than each pin, those on as many counted half; float64 [P], above 0 to 1."""
    ordered = np.sort(pin_degrees)
    below, up_to = (np.searchsorted(ordered, pin_degrees, side) for side in ("left", "right"))  # [P] each
    return (below + up_to) / (2 * max(len(ordered), 1))


def excess_kurtosis(values: NDArray[np.float32]) -> float:
    """The kurtosis of a sample minus that of a normal distribution; 0 where all values are equal.

    Of the cosines of random pairs of pins, a low figure means that the embeddings use the space evenly. It must be the
    excess that the paper reports, since its 0.43 lies below 1, the smallest plain kurtosis there is.

    Source: PinSage §4.3, Figure 3.
    """
    away = values.astype(np.float64) - values.mean(dtype=np.float64)
    variance = float(np.mean(away**2))
    return float(np.mean(away**4)) / variance**2 - 3 if variance > 1e-12 else 0.0
