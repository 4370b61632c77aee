"""Negatives of a minibatch: uniform ones that all queries share, and hard ones per query (PinSage §3.3).

B pairs, S shared negatives, h hard negatives per query, H candidates per pin.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pins = NDArray[np.int32]


@dataclass(frozen=True)
class HardNegatives:
    """Hard negatives of a minibatch: int32 [B, h] pins, and how many of them had to be drawn at random."""

    pins: Pins
    num_replaced: int


def shared_negatives(num_pins: int, count: int, rng: np.random.Generator) -> Pins:
    """`count` pins drawn uniformly with replacement: int32 [S]. Source: PinSage §3.3."""
    return rng.integers(num_pins, size=count, dtype=np.int32)


def hard_negatives(candidates: Pins, query: Pins, *, count: int, rng: np.random.Generator) -> HardNegatives:
    """`count` hard negatives per query, drawn with replacement from the query's candidates.

    A pin reachable from few others has fewer candidates than columns. A draw that meets the padding (-1) becomes a
    uniform random pin: an easier negative, but the arrays stay rectangular and the draw of other queries is the same.

    Args:
        candidates: int32 [P, H], padding -1.
        query: int32 [B].
        count: h, may be 0.

    Source: PinSage §3.3.
    """
    shape = (len(query), count)
    columns = rng.integers(max(1, candidates.shape[1]), size=shape)
    # Drawn whether needed or not: the state of `rng` after this does not depend on which candidates are missing.
    random_pins = rng.integers(len(candidates), size=shape, dtype=np.int32)
    if candidates.shape[1] == 0:
        return HardNegatives(random_pins, random_pins.size)
    drawn = candidates[query[:, None], columns]  # [B, h]
    missing = drawn < 0
    return HardNegatives(np.where(missing, random_pins, drawn).astype(np.int32), int(missing.sum()))


def accidental_mask(negatives: Pins, query: Pins, positive: Pins) -> NDArray[np.bool_]:
    """True where a negative counts: where it is neither the positive nor the query of its row.

    Args:
        negatives: int32 [S], shared by all rows, or int32 [B, h], one row per query.
        query, positive: int32 [B].

    Returns:
        bool [B, S] or [B, h].
    """
    rows = np.atleast_2d(negatives)  # [1, S] or [B, h]
    # By chance a negative is a pin's own positive; counted, it would push apart what is to be pulled together.
    counts: NDArray[np.bool_] = (rows != query[:, None]) & (rows != positive[:, None])
    return counts
