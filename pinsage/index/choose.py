"""The choice of an index by measuring: trees and nodes to inspect rise until the recall suffices.

The choice depends on recall and sizes alone, never on a clock, so that the same embeddings give the same index.
"""

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pinsage.errors import InputError
from pinsage.index.build import IndexPlan, check_scores, expected_bytes
from pinsage.index.exact import EXACT_SCAN_PINS
from pinsage.index.header import HEADER, IndexHeader
from pinsage.index.pin_index import PinIndex
from pinsage.index.recall import RECALL_DEPTH, Recall, Sample, measure_recall
from pinsage.settings.schema import IndexSettings

log = logging.getLogger(__name__)

FEWEST_TREES = 10  # and 640 at most
# A search of 5,120 nodes takes one to two milliseconds. More trees are tried before more nodes than that are inspected,
# since a build is paid once and a search by every query; beyond it only where no more trees are allowed.
QUICK = tuple(320 * 2**power for power in range(5))
# Times the chosen nodes: also measured, to see the curve.
AROUND = tuple(2.0**power for power in (-4, -3, -2, -1, 1, 2, 3))
LEAST_GAIN = 0.02  # of recall, from twice the trees: if they bring less, more of them are not tried


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
    """An index that reaches the recall asked for.

    Attributes:
        curve: all that was measured on the way to it, in that order.
        around: other searches of the same index, which were not needed to choose it.
    """

    index: PinIndex
    curve: list[CurvePoint]
    around: list[CurvePoint]

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

    Where no more trees are allowed, or they bring little, the search becomes a slow one.

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
    trial = _Trial(embeddings, popularity, folder, settings, model_key)
    fewer: int | None = None
    for trees in trial.ladder:
        trial.build(trees)
        if trial.search(trial.quick) or (trees == trial.ladder[-1] and trial.search(trial.slow(trees))):
            return trial.chosen()
        if fewer and trial.gain(fewer, trees) < LEAST_GAIN:
            # Directions without clusters: planes split neighbors, however many trees there are, and only a search of
            # most nodes finds them. The smaller index has fewer nodes.
            trial.build(fewer)
            if trial.search(trial.slow(fewer)):
                return trial.chosen()
            break
        fewer = trees
    raise InputError(trial.shortfall())


class _Trial:
    """The indexes that were built, one after the other in the same folder, and all that was measured on them."""

    def __init__(
        self,
        embeddings: NDArray[np.float32],
        popularity: NDArray[np.float32],
        folder: Path,
        settings: IndexSettings,
        model_key: str,
    ) -> None:
        self._embeddings, self._popularity, self._folder = embeddings, popularity, folder
        self._settings, self._model_key = settings, model_key
        self._sample = Sample.draw(embeddings, popularity, settings.recall_queries, settings.seed)
        self._stored_dim = embeddings.shape[1] + 2 * bool(popularity.max())
        self._curve: list[CurvePoint] = []
        self._began = time.monotonic()
        self.ladder = [trees for trees in _ladder(settings) if self._size_bytes(trees) <= settings.max_size_gb * 1e9]

    def build(self, trees: int) -> None:
        """Build an index.

        Raises:
            InputError: it would be done after `max_minutes`.
        """
        self._check_time(trees)
        plan, started = IndexPlan(trees, 1, self._settings.seed, self._settings.build_threads), time.monotonic()
        self._index = PinIndex.build(self._embeddings, self._popularity, self._folder, plan, model_key=self._model_key)
        self._build_s = time.monotonic() - started

    def search(self, efforts: Iterable[int]) -> bool:
        """Measure searches of the index, ascending, until one reaches the recall; returns whether one did."""
        for search_k in efforts:
            self._curve.append(self._measure(search_k))
            if self._curve[-1].search.recall_at_10 >= self._settings.target_recall:
                return True
        return False

    @property
    def quick(self) -> Sequence[int]:
        """The numbers of nodes of a quick search, or the one that is fixed."""
        return (self._settings.search_k,) if self._settings.search_k else QUICK

    def slow(self, trees: int) -> list[int]:
        """The numbers of nodes beyond a quick search: 16 times as many, and all where there are few pins."""
        if self._settings.search_k:
            return []
        num_pins = len(self._embeddings)
        most = max(16 * QUICK[-1], 2 * trees * num_pins if num_pins < EXACT_SCAN_PINS else 0)
        return [QUICK[-1] * 2**power for power in range(1, 64) if QUICK[-1] * 2**power <= most]

    def gain(self, fewer: int, trees: int) -> float:
        """The recall that one number of trees gained over another in their most thorough searches."""
        best = {point.num_trees: point.search.recall_at_10 for point in self._curve}
        return best[trees] - best[fewer]

    def chosen(self) -> ChosenIndex:
        """The index, which searches as thoroughly as was measured last for whoever opens it."""
        header: IndexHeader = replace(self._index.header, search_k=self._curve[-1].search.search_k)
        header.write(self._folder / HEADER)
        return ChosenIndex(PinIndex.open(self._folder), self._curve, [self._measure(nodes) for nodes in self._around()])

    def shortfall(self) -> str:
        """The sentence of a recall that was not reached."""
        settings = self._settings
        if not self._curve:
            trees = settings.num_trees or FEWEST_TREES
            return (
                f"An index of {len(self._embeddings):,} pins with {trees} trees takes about "
                f"{self._size_bytes(trees) / 1e9:.3g} GB, more than index.max_size_gb {settings.max_size_gb:g}. "
                "Raise it, or lower model.embedding_dim."
            )
        fixed = [name for name in ("num_trees", "search_k") if getattr(settings, name)]
        advice = f"Raise index.{' or index.'.join(fixed)}, or set it to 0" if fixed else "Lower it"
        return f"{self._best()}, below index.target_recall {settings.target_recall:g}. {advice}."

    def _measure(self, search_k: int) -> CurvePoint:
        header, found = self._index.header, measure_recall(self._index, self._sample, search_k)
        point = CurvePoint(header.num_trees, header.size_bytes, self._build_s, found)
        _log(point)
        return point

    def _around(self) -> list[int]:
        """Numbers of nodes below and above the chosen one that were not measured on this index, ascending."""
        last = self._curve[-1]
        measured = {point.search.search_k for point in self._curve if point.num_trees == last.num_trees}
        nodes = {int(last.search.search_k * factor) for factor in AROUND} - measured
        return sorted(number for number in nodes if RECALL_DEPTH < number <= 16 * QUICK[-1])

    def _size_bytes(self, trees: int) -> int:
        return expected_bytes(len(self._embeddings), self._stored_dim, trees)

    def _check_time(self, trees: int) -> None:
        if not self._curve:
            return
        last, settings = self._curve[-1], self._settings
        expected_s = time.monotonic() - self._began + last.build_s * trees / last.num_trees
        if expected_s > 60 * settings.max_minutes:
            raise InputError(
                f"{self._best()}, below index.target_recall {settings.target_recall:g}, and {trees} trees would be "
                f"done {expected_s / 60:.2g} minutes after the start, later than index.max_minutes "
                f"{settings.max_minutes:g}. Raise index.max_minutes or index.build_threads, or lower "
                "index.target_recall."
            )

    def _best(self) -> str:
        best = max(self._curve, key=lambda point: point.search.recall_at_10)
        return (
            f"Recall@10 of the index is {best.search.recall_at_10:.3f} at most "
            f"({best.num_trees} trees, {best.search.search_k} nodes inspected)"
        )


def _ladder(settings: IndexSettings) -> list[int]:
    """The numbers of trees to try, ascending."""
    if settings.num_trees:
        return [settings.num_trees]
    return [FEWEST_TREES * 2**power for power in range(7)]


def _log(point: CurvePoint) -> None:
    log.info(
        "index: %d trees, search_k %d: recall@10 %.4f, %.0f queries/s, p99 %.2f ms, %.1f MB, built in %.1f s",
        point.num_trees, point.search.search_k, point.search.recall_at_10, point.search.queries_per_s,
        point.search.p99_ms, point.size_bytes / 1e6, point.build_s,
    )  # fmt: skip
