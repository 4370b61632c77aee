"""The shift of embeddings between two models, after the turn that one training is free to take against another.

n common pins, d embedding size.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import vq
from scipy.linalg import orthogonal_procrustes

from pinsage.drift.cells import fit_centers


def embedding_shift(before: NDArray[np.float32], now: NDArray[np.float32], *, seed: int = 0) -> float | None:
    """The mean over pins of 1 less the cosine of their group's center before and now; None without a comparison.

    Scores are products of embeddings, so a rotation or reflection of all of them changes no answer. The earlier ones
    are therefore turned onto the later ones first. Groups are cells of the earlier ones: a single pin moves with the
    noise of every training, a whole group does not.

    Args:
        before, now: float32 [n, d], the same pins in the same order.
        seed: of the groups.

    Source: orthogonal Procrustes problem, Schönemann 1966.
    """
    if len(before) < 2 or before.shape != now.shape or not (np.isfinite(before).all() and np.isfinite(now).all()):
        return None
    turn, _ = orthogonal_procrustes(before, now)
    turned = (before @ turn).astype(np.float32)
    groups = vq(turned, fit_centers(turned, np.arange(len(turned)), seed=seed))[0]  # [n]
    centers, later = (_means(vectors, groups) for vectors in (turned, now))
    sizes = np.bincount(groups)
    lengths = np.linalg.norm(centers, axis=1) * np.linalg.norm(later, axis=1)
    cosines = np.divide((centers * later).sum(axis=1), lengths, out=np.ones(len(sizes)), where=lengths > 0)
    return float(np.average(1 - cosines, weights=sizes))


def _means(vectors: NDArray[np.float32], groups: NDArray[np.int32]) -> NDArray[np.float64]:
    """The mean vector of each group, zero where a group is empty: float64 [groups, d]."""
    sums = np.zeros((groups.max() + 1, vectors.shape[1]))
    np.add.at(sums, groups, vectors)
    return sums / np.maximum(np.bincount(groups), 1)[:, None]
