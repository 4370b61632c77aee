"""Exact ranks and exact nearest pins under any way of scoring, in bounded memory.

Letters: P pins, Q distinct queries, N pairs, n queries of a chunk, k pins asked for.
"""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pinsage.pairs.pairs import Pairs

CHUNK_BYTES = 64_000_000
TIE = 1e-6  # cosines closer than this differ by rounding alone
UNRANKED = np.finfo(np.float32).min  # the score of a pin that a method knows nothing about; such pins tie at the end


class Scorer(Protocol):
    """Scores every pin for some queries."""

    num_pins: int

    def scores(self, queries: NDArray[np.int32]) -> NDArray[np.float32]:
        """float32 [n, P], new and writable: higher is better, UNRANKED where the method cannot say."""


def ranks(scorer: Scorer, pairs: Pairs) -> NDArray[np.int64]:
    """The rank of each pair's positive among all pins except the query.

    rank = 1 + pins that score higher + half of the pins that score the same, rounded up: neither the luck of being
    stored first nor a constant score is rewarded. Scores within TIE of each other are the same.

    Args:
        scorer: the method.
        pairs: N pairs of pins below P.

    Returns:
        int64 [N], 1 to P − 1.

    Source: PinSage §4.2.
    """
    queries, places = np.unique(pairs.query, return_inverse=True)
    order = np.argsort(places, kind="stable")  # pairs of the same query lie together
    found = np.empty(len(pairs), np.int64)
    for start, scores in _chunks(scorer, queries):
        first, last = np.searchsorted(places[order], [start, start + len(scores)])
        for pair in order[first:last]:
            found[pair] = _rank(scores[places[pair] - start], int(pairs.positive[pair]))
    return found


def top(scorer: Scorer, queries: NDArray[np.int32], k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The pins that score highest for each query, without the query itself and without unranked pins.

    Returns:
        int32 [Q, k] pins, best first (of equals the smaller pin), padded with -1; float32 [Q, k] scores, padded with 0.
    """
    pins = np.full((len(queries), k), -1, np.int32)
    best = np.zeros((len(queries), k), np.float32)
    for start, scores in _chunks(scorer, queries):
        for row, line in enumerate(scores, start):
            kept = _top(line, k)
            pins[row, : len(kept)], best[row, : len(kept)] = kept, line[kept]
    return pins, best


def _chunks(scorer: Scorer, queries: NDArray[np.int32]) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """The place of a chunk's first query and its scores, float32 [n, P], in which a query itself has -inf."""
    size = max(1, CHUNK_BYTES // (4 * max(1, scorer.num_pins)))
    for start in range(0, len(queries), size):
        chunk = queries[start : start + size]
        scores = scorer.scores(chunk)  # [n, P]
        scores[np.arange(len(chunk)), chunk] = -np.inf
        yield start, scores


def _rank(scores: NDArray[np.float32], positive: int) -> int:
    own = scores[positive]
    higher = int(np.count_nonzero(scores > own + np.float32(TIE)))
    same = int(np.count_nonzero(scores >= own - np.float32(TIE))) - higher - 1
    return 1 + higher + (same + 1) // 2


def _top(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Pins in the order of their scores, at most k; the cut keeps all that equal the k-th, so that ties are fair."""
    ranked = np.flatnonzero(scores > UNRANKED)
    if len(ranked) > k:
        bar = np.partition(scores[ranked], -k)[-k]
        ranked = ranked[scores[ranked] >= bar]
    return ranked[np.argsort(-scores[ranked], kind="stable")][:k]
