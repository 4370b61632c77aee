"""Figures of a method on one view: each a mean over queries or boards, of all of them or of a slice.

N pairs, R rows (queries or boards), P pins.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pinsage.evaluation.metrics import discounts, hits, ndcg, recall, reciprocal_ranks
from pinsage.evaluation.pin_lists import PinLists
from pinsage.evaluation.ranking import Ranking
from pinsage.evaluation.views import BoardView, PairView
from pinsage.settings.schema import EvaluateSettings

RECALL_DEPTH, NDCG_DEPTH, TOP_DEPTH = 20, 10, 10
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Average:
    """A metric as sums over the rows: its value is Σ `sums` / Σ `counts`, float64 [R] each.

    `slice` says by what the pairs are chosen and `part` which of them; both are empty where all are meant.
    """

    metric: str
    sums: Values
    counts: Values
    slice: str = ""
    part: str = ""

    @property
    def value(self) -> float:
        """The mean."""
        return float(self.sums.sum() / self.counts.sum())


@dataclass(frozen=True)
class Slice:
    """Pairs chosen by one property: bool [N] for each part, by its name."""

    name: str
    parts: dict[str, NDArray[np.bool_]]


def pair_averages(view: PairView, ranking: Ranking, settings: EvaluateSettings) -> list[Average]:
    """Hit rates, scaled and plain MRR and NDCG@10 over the pairs, and recall@20 over the queries.

    The first ones take each pair by itself, with one positive. Recall takes the distinct positives of a query together:
    their share among the first 20 pins, averaged over queries.
    """
    positives, ranks = view.targets.positives, ranking.ranks
    of_pairs = {f"hit_rate@{k}": hits(ranks, k) for k in sorted(set(settings.ranks))}
    of_pairs |= {"scaled_mrr": reciprocal_ranks(ranks, settings.mrr_scale), "mrr": reciprocal_ranks(ranks)}
    of_pairs[f"ndcg@{NDCG_DEPTH}"] = discounts(ranks, NDCG_DEPTH)
    averages = [over_pairs(metric, values, positives) for metric, values in of_pairs.items()]
    distinct, places = _distinct(positives)
    has_some = (distinct.lengths > 0).astype(np.float64)  # [R]
    return [*averages, Average(f"recall@{RECALL_DEPTH}", recall(ranks[places], distinct, RECALL_DEPTH), has_some)]


def board_averages(view: BoardView, ranking: Ranking) -> list[Average]:
    """Recall@20 and NDCG@20 over the boards, as LightGCN defines them."""
    positives, ones = view.targets.positives, np.ones(len(view.boards))
    return [
        Average(f"recall@{RECALL_DEPTH}", recall(ranking.ranks, positives, RECALL_DEPTH), ones),
        Average(f"ndcg@{RECALL_DEPTH}", ndcg(ranking.ranks, positives, RECALL_DEPTH), ones),
    ]


def slice_averages(view: PairView, ranking: Ranking, slices: list[Slice], k: int) -> list[Average]:
    """The hit rate at `k` of each part that holds pairs."""
    values, positives = hits(ranking.ranks, k), view.targets.positives
    return [
        over_pairs(f"hit_rate@{k}", values, positives, chosen, cut.name, part)
        for cut in slices
        for part, chosen in cut.parts.items()
        if chosen.any()
    ]


def over_pairs(
    metric: str, values: Values, positives: PinLists, chosen: NDArray[np.bool_] | None = None, slice_: str = "",
    part: str = "",
) -> Average:  # fmt: skip
    """The mean of a value per pair, float64 [N], over the chosen pairs (all without a choice)."""
    weights = np.ones(len(values)) if chosen is None else chosen.astype(np.float64)
    rows, num_rows = positives.rows, len(positives)
    sums, counts = (np.bincount(rows, of, num_rows).astype(np.float64) for of in (values * weights, weights))
    return Average(metric, sums, counts, slice_, part)


def popularity_averages(view: PairView, ranking: Ranking, percentiles: Values) -> tuple[Average, Average]:
    """Mean percentile of the degree of the recommended pins, per query, and of the positives, per pair."""
    positives = view.targets.positives
    is_pin = (ranking.top >= 0) & (positives.lengths > 0)[:, None]  # [R, k]
    recommended = np.where(is_pin, percentiles[ranking.top], 0).sum(axis=1)  # [R]
    counts = is_pin.sum(axis=1)
    means = Average("recommended", recommended / np.maximum(counts, 1), (counts > 0).astype(np.float64))
    return means, over_pairs("positives", percentiles[positives.pins], positives)


def _distinct(positives: PinLists) -> tuple[PinLists, NDArray[np.int64]]:
    """Each positive of a row once, and its first place in the lists."""
    # Row and pin in one number, which sorts and compares as one.
    keys, places = np.unique((positives.rows << 32) | positives.pins, return_index=True)
    return PinLists.of(keys >> 32, (keys & 0xFFFFFFFF).astype(np.int32), len(positives)), places
