"""Queries of an index, checked: a pin by its row, or an embedding from outside.

Letters: P pins, d embedding size, k pins asked for.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pinsage.errors import InputError, UnknownPinError

Neighbors = tuple[NDArray[np.int32], NDArray[np.float32]]  # [≤k] pins and their scores, the highest first


def check_pin(pin: int, num_pins: int) -> None:
    """Check that an index of `num_pins` holds a pin.

    Raises:
        UnknownPinError: it does not.
    """
    if not 0 <= pin < num_pins:
        raise UnknownPinError(
            f"Pin {pin} is not in the index, whose pins run from 0 to {num_pins - 1}. "
            "Take a pin of the catalog that the index was built from."
        )


def unit_query(vector: NDArray[np.float32], dim: int) -> NDArray[np.float64]:
    """The vector scaled to unit length: float64 [d].

    Raises:
        InputError: the vector has another size, is zero or holds NaN.
    """
    if vector.shape != (dim,) or not np.isfinite(vector).all() or not vector.any():
        raise InputError(
            f"A query vector of shape {list(vector.shape)} with length {np.linalg.norm(vector):.3g} cannot be "
            f"looked up among embeddings of size {dim}. Give one finite vector of that size that is not zero."
        )
    whole = vector.astype(np.float64)
    unit: NDArray[np.float64] = whole / np.linalg.norm(whole)
    return unit


def best_without(
    excluded: NDArray[np.int32], search: Callable[[int], Neighbors], wanted: int, *, num_pins: int
) -> Neighbors:
    """The `wanted` best pins that are not excluded: so many more are looked at as are excluded among the best.

    Args:
        excluded: rows.
        search: gives so many of the best pins and their scores.
        wanted: at least 1; fewer come back where fewer are left.
        num_pins: P.
    """
    count = wanted
    while True:
        pins, scores = search(count)
        keep = ~np.isin(pins, excluded)
        if keep.sum() >= wanted or len(pins) < count or count >= num_pins:
            return pins[keep][:wanted], scores[keep][:wanted]
        # Twice as many each time: few searches, however many of the best are excluded.
        count = min(2 * count + min(len(excluded), wanted), num_pins)
