"""Bootstrap intervals of means over queries: how much a figure would move with other queries of the same kind.

A figure is a ratio of sums, Σ sums / Σ counts, over R rows (queries or boards), which are drawn anew with replacement.
Pairs of one query are drawn together, since they share one row of scores. M figures, D draws.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

NUM_DRAWS = 1000
CHUNK_BYTES = 32_000_000
LEVEL = 0.95
Matrix = NDArray[np.float64]


def resample(sums: Matrix, counts: Matrix, seed: int, num_draws: int = NUM_DRAWS) -> Matrix:
    """The figures of `num_draws` samples of the rows, float64 [D, M]; NaN where a sample holds nothing of a figure.

    The same seed and number of rows give the same samples, so the difference of two methods' figures is a paired one.

    Args:
        sums: float64 [R, M], per row the sum of a figure's values.
        counts: float64 [R, M], per row how many values these are.
        seed: of the samples.
        num_draws: D.
    """
    drawn = [(weights @ sums, weights @ counts) for weights in _weights(len(sums), seed, num_draws)]  # [some, M] each
    above, below = (np.concatenate(part) for part in zip(*drawn, strict=True))  # [D, M] each
    figures: Matrix = np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)
    return figures


def interval(draws: Matrix) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The middle 95 % of each column of draws [D, M]: float64 [M] lower ends, float64 [M] upper ends."""
    low, high = np.nanquantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return low, high


def _weights(num_rows: int, seed: int, num_draws: int) -> Iterator[Matrix]:
    """The number of times that each row is in each of some draws, float64 [some, R]."""
    rng, size = np.random.default_rng(seed), max(1, CHUNK_BYTES // (8 * num_rows))
    for start in range(0, num_draws, size):
        num = min(size, num_draws - start)
        places = rng.integers(num_rows, size=(num, num_rows))
        places += np.arange(num)[:, None] * num_rows
        # How often each row was drawn: a product with the sums takes the place of gathering them for every draw.
        yield np.bincount(places.ravel(), minlength=num * num_rows).reshape(num, num_rows).astype(np.float64)
