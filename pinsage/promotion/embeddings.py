"""The health of embeddings: numbers that are none, and directions that have collapsed into one.

P pins, d embedding size.
"""

import numpy as np
from numpy.typing import NDArray

_CHUNK = 65_536
_NUM_PAIRS = 20_000


def num_not_finite(embeddings: NDArray[np.float32]) -> int:
    """The number of embeddings that hold NaN or an infinite number.

    Args:
        embeddings: float32 [P, d], an array or a memory map.
    """
    starts = range(0, len(embeddings), _CHUNK)
    return sum(int((~np.isfinite(embeddings[start : start + _CHUNK]).all(axis=1)).sum()) for start in starts)


def spread(embeddings: NDArray[np.float32], *, seed: int = 0) -> float:
    """1 less the mean cosine of random pairs of pins: 0 where all point one way, about 1 where they spread evenly.

    A pair with a zero vector counts as one direction: nothing tells the two apart.

    Args:
        embeddings: float32 [P, d], finite, of unit length or zero.
        seed: of the pairs.
    """
    if len(embeddings) < 2:
        return 1.0
    rng = np.random.default_rng(seed)
    first = rng.integers(len(embeddings), size=_NUM_PAIRS)
    second = (first + rng.integers(1, len(embeddings), size=_NUM_PAIRS)) % len(embeddings)
    one, other = embeddings[first], embeddings[second]  # [n, d] each
    cosines = np.einsum("nd,nd->n", one, other)
    cosines[~one.any(axis=1) | ~other.any(axis=1)] = 1
    return float(1 - cosines.mean())
