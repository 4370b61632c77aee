"""The choice of an index by measuring: trees and nodes to inspect rise until the recall suffices.

The choice depends on recall and sizes alone, never on a clock, so that the same embeddings give the same index.
"""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pinsage.errors import InputError
from pinsage.index.build import IndexPlan, check_scores, expected_bytes
from pinsage.index.header import HEADER, IndexHeader
from pinsage.index.pin_index import PinIndex
from pinsage.index.recall import Recall, Sample, measure_recall
from pinsage.settings import IndexSettings

log = logging.getLogger(__name__)

FEWEST_TREES, MOST_TREES = 10, 640
# A search of 5,120 nodes takes one to two milliseconds. More trees are tried before more nodes than that are inspected,
# since a build is paid once and a search by every query; beyond it only where no more trees are allowed.
QUICK = tuple(320 * 2**power for power in range(5))
SLOW = tuple(QUICK[-1] * 2**power for power in range(1, 5))


@dataclass(frozen=True)
class CurvePoint:
    """A measured setting of an index.

    Attributes:
        num_trees, size_bytes: of the index file; `build_s` of its build, in seconds.
        search: nodes that were inspected, recall and speed.
    """

    num_trees: int
    size_bytes: int
    build_s: float
    search: Recall


@dataclass(frozen=True)
class ChosenIndex:
    """An index that reaches the recall asked for, and all that was measured on the way to it, in that order."""

    index: PinIndex
    curve: list[CurvePoint]

    @property
    def point(self) -> CurvePoint:
        """The measurement of the chosen setting, the last one."""
        return self.curve[-1]


def choose_index(
    embeddings: NDArray[np.float32],
    popularity: NDArray[np.float32],
    folder: Path,
    settings: IndexSettings,
    *,
    model_key: str = "",
) -> ChosenIndex:
    """Build indexes of more and more trees until a quick search reaches `settings.target_recall`; keep the last one.

    Args:
        embeddings: float32 [P, d], unit length.
        popularity: float32 [P], at least 0.
        folder: where the files of the index go.
        settings: the recall, the budgets, and trees and search_k where they are fixed.
        model_key: names the model that made the embeddings.

    Raises:
        InputError: the embeddings cannot be indexed, or the budget of size or time ends before the recall is reached.
        DiskFullError: the disk has no room for the index.
    """
    check_scores(embeddings, popularity)
    sample = Sample.draw(embeddings, popularity, settings.recall_queries, settings.seed)
    curve: list[CurvePoint] = []
    stored_dim = embeddings.shape[1] + 2 * bool(popularity.max())
    ladder = [trees for trees in _ladder(settings) if _fits(len(embeddings), stored_dim, trees, settings)]
    began = time.monotonic()
    for trees in ladder:
        _check_time(curve, time.monotonic() - began, settings)
        plan, started = IndexPlan(trees, 1, settings.seed, settings.build_threads), time.monotonic()
        index = PinIndex.build(embeddings, popularity, folder, plan, model_key=model_key)
        seconds = time.monotonic() - started
        for search_k in _efforts(settings, is_last=trees == ladder[-1]):
            curve.append(CurvePoint(trees, index.header.size_bytes, seconds, measure_recall(index, sample, search_k)))
            _log(curve[-1])
            if curve[-1].search.recall_at_10 >= settings.target_recall:
                return ChosenIndex(_with_search_k(index, search_k, folder), curve)
    raise InputError(_shortfall(curve, len(embeddings), stored_dim, settings))


def _ladder(settings: IndexSettings) -> Iterator[int]:
    """The numbers of trees to try, ascending."""
    trees = settings.num_trees or FEWEST_TREES
    while trees <= max(MOST_TREES, settings.num_trees):
        yield trees
        if settings.num_trees:
            return
        trees *= 2


def _efforts(settings: IndexSettings, *, is_last: bool) -> tuple[int, ...]:
    """The numbers of nodes to inspect, ascending."""
    if settings.search_k:
        return (settings.search_k,)
    return QUICK + SLOW if is_last else QUICK


def _fits(num_pins: int, stored_dim: int, num_trees: int, settings: IndexSettings) -> bool:
    return expected_bytes(num_pins, stored_dim, num_trees) <= settings.max_size_gb * 1e9


def _with_search_k(index: PinIndex, search_k: int, folder: Path) -> PinIndex:
    """The index, which searches as thoroughly as was measured for whoever opens it."""
    header: IndexHeader = replace(index.header, search_k=search_k)
    header.write(folder / HEADER)
    return PinIndex.open(folder)


def _check_time(curve: list[CurvePoint], elapsed_s: float, settings: IndexSettings) -> None:
    """Check that the next build, of twice the trees, will end in time."""
    if not curve:
        return
    expected_s = elapsed_s + 2 * curve[-1].build_s
    if expected_s > 60 * settings.max_minutes:
        raise InputError(
            f"{_best(curve)}, below index.target_recall {settings.target_recall:g}, and twice the trees would be done "
            f"{expected_s / 60:.2g} minutes after the start, later than index.max_minutes {settings.max_minutes:g}. "
            "Raise index.max_minutes or index.build_threads, or lower index.target_recall."
        )


def _shortfall(curve: list[CurvePoint], num_pins: int, stored_dim: int, settings: IndexSettings) -> str:
    if not curve:
        trees = settings.num_trees or FEWEST_TREES
        return (
            f"An index of {num_pins:,} pins with {trees} trees takes about "
            f"{expected_bytes(num_pins, stored_dim, trees) / 1e9:.3g} GB, more than index.max_size_gb "
            f"{settings.max_size_gb:g}. Raise it, or lower model.embedding_dim."
        )
    fixed = [name for name in ("num_trees", "search_k") if getattr(settings, name)]
    advice = f"Raise index.{' or index.'.join(fixed)}, or set it to 0" if fixed else "Raise index.max_size_gb"
    return f"{_best(curve)}, below index.target_recall {settings.target_recall:g}. {advice}."


def _best(curve: list[CurvePoint]) -> str:
    best = max(curve, key=lambda point: point.search.recall_at_10)
    return (
        f"Recall@10 of the index is {best.search.recall_at_10:.3f} at most "
        f"({best.num_trees} trees, {best.search.search_k} nodes inspected)"
    )


def _log(point: CurvePoint) -> None:
    log.info(
        "index: %d trees, search_k %d: recall@10 %.4f, %.0f queries/s, p99 %.2f ms, %.1f MB, built in %.1f s",
        point.num_trees, point.search.search_k, point.search.recall_at_10, point.search.queries_per_s,
        point.search.p99_ms, point.size_bytes / 1e6, point.build_s,
    )  # fmt: skip
