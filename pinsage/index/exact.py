"""An exact scan of all embeddings: it misses nothing, and a small catalog is scanned within milliseconds.

Letters: P pins, d embedding size, Q queries, k pins asked for.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pinsage.index.query import Neighbors, check_pin, unit_query

EXACT_SCAN_PINS: Final = 50_000  # below this a release is scanned
CHUNK_BYTES = 64_000_000


class ExactScan:
    """A scan of P embeddings and their popularity; it answers as `PinIndex` does, with a recall of 1."""

    def __init__(self, embeddings: NDArray[np.float32], popularity: NDArray[np.float32]) -> None:
        """Keep `embeddings`, float32 [P, d] of unit length, and `popularity`, float32 [P]; neither is copied."""
        self._embeddings, self._popularity = embeddings, popularity

    @property
    def num_pins(self) -> int:
        """P, pins that are scanned."""
        return len(self._embeddings)

    def related(self, pin: int, k: int) -> Neighbors:
        """The pins that score highest for `pin`, the best first, without `pin` itself.

        Raises:
            UnknownPinError: there is no such pin.
        """
        check_pin(pin, self.num_pins)
        scores = self._scores(self._embeddings[pin])
        scores[pin] = -np.inf
        return _best(scores, min(k, self.num_pins - 1))

    def related_to_vector(self, vector: NDArray[np.float32], k: int) -> Neighbors:
        """The pins that score highest for an embedding from outside, the best first.

        Raises:
            InputError: the vector has another size, is zero or holds NaN.
        """
        unit = unit_query(vector, self._embeddings.shape[1]).astype(np.float32)
        return _best(self._scores(unit), min(k, self.num_pins))

    def _scores(self, unit: NDArray[np.float32]) -> NDArray[np.float32]:
        scores: NDArray[np.float32] = self._embeddings @ unit + self._popularity
        return scores


def kth_scores(
    embeddings: NDArray[np.float32], popularity: NDArray[np.float32], queries: NDArray[np.int64], k: int
) -> NDArray[np.float32]:
    """The score of each query's k-th best pin other than itself: float32 [Q]; k is below P.

    Args:
        embeddings: float32 [P, d], unit length.
        popularity: float32 [P].
        queries: int64 [Q], pins.
        k: at least 1.
    """
    least = np.empty(len(queries), np.float32)  # [Q]
    size = max(1, CHUNK_BYTES // (4 * len(embeddings)))
    for start in range(0, len(queries), size):
        chunk = queries[start : start + size]
        scores = embeddings[chunk] @ embeddings.T + popularity  # [n, P]
        scores[np.arange(len(chunk)), chunk] = -np.inf
        least[start : start + size] = np.partition(scores, -k, axis=1)[:, -k]
    return least


def _best(scores: NDArray[np.float32], k: int) -> Neighbors:
    """The k highest scores, the highest first; of equal ones the lower pin first."""
    if k <= 0:
        return np.empty(0, np.int32), np.empty(0, np.float32)
    bar = np.partition(scores, -k)[-k]
    pins = np.flatnonzero(scores >= bar)  # more than k where the last one has equals
    order = np.lexsort((pins, -scores[pins]))[:k]
    return pins[order].astype(np.int32), scores[pins[order]]
