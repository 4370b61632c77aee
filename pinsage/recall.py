"""The recall of the index against exact search, and how fast it answers.

Letters: P pins, d embedding size, Q queries.
"""

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pinsage.errors import InputError
from pinsage.index import PinIndex
from pinsage.settings import IndexSettings

RECALL_DEPTH = 10
CHUNK_BYTES = 64_000_000
FACTORS = (1, 2, 4, 8, 16)  # of the search_k that the settings name: as far as a search may be made more thorough


@dataclass(frozen=True)
class Recall:
    """The recall of a search at one `search_k`, and its speed on one core."""

    search_k: int
    recall_at_10: float
    queries_per_s: float


def measure_recall(
    index: PinIndex, embeddings: NDArray[np.float32], popularity: NDArray[np.float32], settings: IndexSettings
) -> list[Recall]:
    """Recall@10 against exact search at several `search_k`, ascending, the index's own among them.

    A found pin counts when it scores as high as the exact tenth: among equals Annoy may choose.

    Args:
        index: the index of `embeddings` and `popularity`.
        embeddings: float32 [P, d], unit length.
        popularity: float32 [P].
        settings: how many queries are drawn, and from which seed.
    """
    rng = np.random.default_rng(settings.seed)
    num_queries = min(settings.recall_queries, len(embeddings))
    queries = np.sort(rng.choice(len(embeddings), num_queries, replace=False))
    least = _exact_tenth(embeddings, popularity, queries)
    own = index.header.search_k
    efforts = sorted({RECALL_DEPTH * index.header.num_trees, own // 2, *(own * factor for factor in FACTORS)} - {0})
    return [_recall(index, queries, least, effort) for effort in efforts]


def enough_recall(table: list[Recall], settings: IndexSettings) -> Recall:
    """The row of the smallest search_k, from the settings' own on, whose recall is at least `settings.min_recall`.

    Raises:
        InputError: there is none.
    """
    rows = [row for row in table if row.search_k >= settings.search_k]
    enough = [row for row in rows if row.recall_at_10 >= settings.min_recall]
    if not enough:
        raise InputError(
            f"Recall@10 of the index is {rows[0].recall_at_10:.3f} at search_k {rows[0].search_k} and "
            f"{rows[-1].recall_at_10:.3f} at {rows[-1].search_k}, below index.min_recall {settings.min_recall:g}. "
            "Raise index.num_trees."
        )
    return enough[0]


def _exact_tenth(
    embeddings: NDArray[np.float32], popularity: NDArray[np.float32], queries: NDArray[np.int64]
) -> NDArray[np.float32]:
    """The score of each query's tenth best pin, float32 [Q]; of the last where there are fewer than ten."""
    depth = min(RECALL_DEPTH, len(embeddings) - 1)
    least = np.full(len(queries), np.inf, np.float32)
    size = max(1, CHUNK_BYTES // (4 * len(embeddings)))
    for start in range(0, len(queries) if depth else 0, size):
        chunk = queries[start : start + size]
        scores = embeddings[chunk] @ embeddings.T + popularity  # [n, P]
        scores[np.arange(len(chunk)), chunk] = -np.inf
        least[start : start + size] = np.partition(scores, -depth, axis=1)[:, -depth]
    return least


def _recall(index: PinIndex, queries: NDArray[np.int64], least: NDArray[np.float32], search_k: int) -> Recall:
    depth = min(RECALL_DEPTH, index.num_pins - 1)
    started = time.perf_counter()
    answers = [index.related(int(query), RECALL_DEPTH, search_k=search_k)[1] for query in queries]
    seconds = time.perf_counter() - started
    rounding = 1e-5 * index.header.longest_product
    found = sum(int(np.sum(scores >= bar - rounding)) for scores, bar in zip(answers, least, strict=True))
    recall = found / (depth * len(queries)) if depth else 1.0
    return Recall(search_k, round(recall, 6), len(queries) / max(seconds, 1e-9))
