"""The recall of an index against exact search, and how fast it answers.

Letters: P pins, d embedding size, Q queries.
"""

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pinsage.index.exact import kth_scores
from pinsage.index.pin_index import PinIndex

RECALL_DEPTH = 10


@dataclass(frozen=True)
class Recall:
    """The recall of a search that inspects `search_k` nodes, and its speed on one core."""

    search_k: int
    recall_at_10: float
    queries_per_s: float
    p99_ms: float


@dataclass(frozen=True)
class Sample:
    """Queries and the score of the exact tenth of each: what a search must reach.

    A found pin counts when it scores as high as the exact tenth: among equals an index may choose.

    Attributes:
        queries: int64 [Q], pins, ascending.
        tenths: float32 [Q]; of the last pin where there are fewer than ten others.
        depth: pins that are looked for per query: 10, or all others where there are fewer.
    """

    queries: NDArray[np.int64]
    tenths: NDArray[np.float32]
    depth: int

    @classmethod
    def draw(
        cls, embeddings: NDArray[np.float32], popularity: NDArray[np.float32], num_queries: int, seed: int
    ) -> "Sample":
        """Draw queries and scan all pins for them.

        Args:
            embeddings: float32 [P, d], unit length.
            popularity: float32 [P].
            num_queries: Q, at most P of them.
            seed: of the draw.
        """
        num_pins, depth = len(embeddings), min(RECALL_DEPTH, len(embeddings) - 1)
        queries = np.random.default_rng(seed).choice(num_pins, min(num_queries, num_pins), replace=False)  # [Q]
        queries = np.sort(queries) if depth else queries[:0]  # a catalog of one pin has no neighbors to find
        return cls(queries, kth_scores(embeddings, popularity, queries, max(depth, 1)), depth)


def measure_recall(index: PinIndex, sample: Sample, search_k: int) -> Recall:
    """Recall@10 of a search against exact search, and its speed."""
    # The index and the exact scan add in another order, so the last bits of equal scores differ.
    rounding, found, seconds = 1e-5 * index.header.longest_product, 0, []
    for query, bar in zip(sample.queries.tolist(), sample.tenths, strict=True):
        started = time.perf_counter()
        scores = index.related(query, RECALL_DEPTH, search_k=search_k)[1]
        seconds.append(time.perf_counter() - started)
        found += int(np.sum(scores >= bar - rounding))
    if not seconds:
        return Recall(search_k, 1.0, 0.0, 0.0)
    recall = found / (sample.depth * len(sample.queries))
    return Recall(search_k, round(recall, 6), len(seconds) / sum(seconds), 1000 * float(np.quantile(seconds, 0.99)))
