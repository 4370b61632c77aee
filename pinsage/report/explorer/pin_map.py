"""The map of the embeddings: where each pin lies, how often it was saved, and whether its held-out pairs were found.

Letters: P pins, M pins on the map, d embedding size.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GRID = 65_535  # coordinates are uint16: finer than any screen
NOT_ASKED, MISS, HIT = 0, 1, 2


@dataclass(frozen=True)
class PinMap:
    """The pins on the map.

    Attributes:
        pins: int32 [M], ascending.
        x, y: uint16 [M].
        degrees: int32 [M], training saves.
        found: uint8 [M]: NOT_ASKED where a pin is no test query, else HIT if a held-out positive of it was found among
            the first pins, else MISS.
    """

    pins: NDArray[np.int32]
    x: NDArray[np.uint16]
    y: NDArray[np.uint16]
    degrees: NDArray[np.int32]
    found: NDArray[np.uint8]


def pin_map(
    embeddings: NDArray[np.float32], pins: NDArray[np.int32], degrees: NDArray[np.int64], found: NDArray[np.uint8]
) -> PinMap:
    """The map of some pins.

    Args:
        embeddings: float32 [P, d].
        pins: int32 [M], ascending.
        degrees: int64 [P].
        found: uint8 [P].
    """
    places = _grid(principal_plane(np.asarray(embeddings[pins])))
    return PinMap(pins, places[:, 0], places[:, 1], degrees[pins].astype(np.int32), found[pins])


def principal_plane(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """The coordinates of vectors along the two directions in which they vary most: float64 [M, 2].

    Principal components and not a neighbor embedding: distances far apart keep their meaning, the same vectors give
    the same map, and 100,000 pins take a second. A direction's sign is that of its largest entry.
    """
    centered = vectors - vectors.mean(axis=0)
    directions = np.linalg.eigh((centered.T @ centered).astype(np.float64))[1][:, ::-1][:, :2]  # [d, ≤2]
    largest = np.abs(directions).argmax(axis=0)
    directions = directions * np.sign(directions[largest, np.arange(directions.shape[1])])
    plane = np.zeros((len(vectors), 2))  # [M, 2], in which a missing direction stays 0
    plane[:, : directions.shape[1]] = centered @ directions
    return plane


def _grid(plane: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Coordinates as whole numbers from 0 to GRID, in one scale for both axes."""
    low, span = plane.min(axis=0), np.ptp(plane, axis=0)
    margin = (span.max() - span) / 2  # the narrower axis lies in the middle
    places: NDArray[np.uint16] = np.round((plane - low + margin) * (GRID / max(span.max(), 1e-12))).astype(np.uint16)
    return places
