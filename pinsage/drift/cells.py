"""Cells: the regions of vectors nearest to each of a few centers, over which two days are compared.

A vector of hundreds of columns has no histogram, and a single column says little. The cells of a k-means over the
earlier day are bins that the data themselves suggest: what vanishes empties one of them.

P pins, C cells, D columns.
"""

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2, vq

NUM_CELLS = 16
_SAMPLE = 4096  # vectors that the centers are fitted to; all are counted
_CHUNK = 8192


def fit_centers(vectors: NDArray[np.float32], rows: NDArray[np.int64], *, seed: int = 0) -> NDArray[np.float32]:
    """The centers of the cells: float32 [C, D], fewer than NUM_CELLS where there are fewer vectors.

    Args:
        vectors: float32 [P, D], an array or a memory map.
        rows: int64 [n], ascending; the rows to look at.
        seed: of the sample and of the first centers.
    """
    if not len(rows):
        return np.zeros((0, vectors.shape[1]), np.float32)
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.choice(rows, min(_SAMPLE, len(rows)), replace=False))
    # kmeans2 warns of an empty cell, which pictures that are all the same leave.
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        centers, _ = kmeans2(vectors[chosen], min(NUM_CELLS, len(rows)), minit="++", rng=rng)
    return np.asarray(centers, np.float32)


def count_cells(vectors: NDArray[np.float32], rows: NDArray[np.int64], centers: NDArray[np.float32]) -> list[int]:
    """The number of vectors nearest to each center: C counts.

    Args:
        vectors: float32 [P, D].
        rows: int64 [n], ascending; the rows to count.
        centers: float32 [C, D], C at least 1.
    """
    counts = np.zeros(len(centers), np.int64)
    for start in range(0, len(rows), _CHUNK):
        counts += np.bincount(vq(vectors[rows[start : start + _CHUNK]], centers)[0], minlength=len(centers))
    return [int(count) for count in counts]
