"""The gain of one model over another on the same held-out pairs, in all and on cold pairs, with intervals.

N pairs, Q distinct queries.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pinsage.evaluation.averages import Average, over_pairs
from pinsage.evaluation.intervals import interval, resample
from pinsage.evaluation.metrics import hits
from pinsage.evaluation.names import ALL
from pinsage.evaluation.ranking import Scorer, query_chunks, rank_chunks
from pinsage.evaluation.slices import COLD, pair_slices
from pinsage.evaluation.views import Split
from pinsage.graph.csr import BipartiteGraph


@dataclass(frozen=True)
class Gain:
    """The hit rates of two models on the same pairs, and the 95 % interval of their difference.

    The interval is over the queries, drawn for both models together.
    """

    ours: float
    theirs: float
    low: float
    high: float
    pairs: int

    @property
    def value(self) -> float:
        """The difference of the hit rates."""
        return self.ours - self.theirs


def hit_rate_gains(
    ours: Scorer, theirs: Scorer, split: Split, graph: BipartiteGraph, *, rank: int, seed: int
) -> dict[str, Gain]:
    """The gains in the hit rate at `rank`, on all pairs (ALL) and on those that touch a pin without saves (COLD).

    Args:
        ours, theirs: the models.
        split: its view of all pairs is asked. A part of it without pairs has no gain.
        graph: of the training saves, which says what is cold.
        rank: K of the hit rate.
        seed: of the samples of queries.
    """
    [cut] = (cut for cut in pair_slices(split.all, split.queries, graph) if cut.name == COLD)
    parts = {ALL: np.ones(split.num_pairs, np.bool_), COLD: cut.parts["cold"]}
    parts = {name: chosen for name, chosen in parts.items() if chosen.any()}
    if not parts:
        return {}
    own, other = (_averages(scorer, split, parts, rank) for scorer in (ours, theirs))
    # Paired: the same seed draws the same queries for both.
    lows, highs = interval(_draws(own, seed) - _draws(other, seed))
    return {
        name: Gain(mine.value, yours.value, float(low), float(high), int(mine.counts.sum()))
        for name, mine, yours, low, high in zip(parts, own, other, lows, highs, strict=True)
    }


def _averages(scorer: Scorer, split: Split, parts: dict[str, NDArray[np.bool_]], rank: int) -> list[Average]:
    (ranking,) = rank_chunks(query_chunks(scorer, split.queries), [split.all.targets])
    values, positives = hits(ranking.ranks, rank), split.all.targets.positives
    return [over_pairs(f"hit_rate@{rank}", values, positives, chosen, part=part) for part, chosen in parts.items()]


def _draws(averages: list[Average], seed: int) -> NDArray[np.float64]:
    sums, counts = (np.stack([getattr(average, of) for average in averages], axis=1) for of in ("sums", "counts"))
    return resample(sums, counts, seed)
