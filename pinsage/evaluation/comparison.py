"""Every method's figures on every view of the held-out saves, with intervals, and PinSage's lead over each method.

M figures, D draws of the bootstrap.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pinsage.evaluation.averages import (
    TOP_DEPTH,
    Average,
    Slice,
    board_averages,
    pair_averages,
    popularity_averages,
    slice_averages,
)
from pinsage.evaluation.intervals import interval, resample
from pinsage.evaluation.metrics import coverage, excess_kurtosis, popularity_percentiles
from pinsage.evaluation.names import ALL, BOARD, PINSAGE, deciding_rank
from pinsage.evaluation.ranking import UNRANKED, Ranking, Scorer, board_chunks, query_chunks, rank_chunks
from pinsage.evaluation.slices import COLD, pair_slices
from pinsage.evaluation.threads import map_in_threads
from pinsage.evaluation.views import PairView, Split
from pinsage.graph.csr import BipartiteGraph
from pinsage.settings.schema import EvaluateSettings

log = logging.getLogger(__name__)
SLICE_RANK = 10
SPREAD_QUERIES, SPREAD_PER_QUERY = 500, 40
QUERY_SCHEMA = pa.schema(
    [("split", pa.string()), ("query", pa.int32()), ("hits", pa.float64()), ("pairs", pa.float64())]
)
Draws = NDArray[np.float64]


@dataclass(frozen=True)
class Metric:
    """One figure with its 95 % interval; None where there is none to draw (coverage)."""

    method: str
    split: str
    view: str
    metric: str
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class SliceMetric(Metric):
    """A figure of some of the pairs: `slice` says by what they are chosen, `part` which, `pairs` how many."""

    slice: str
    part: str
    pairs: int


@dataclass(frozen=True)
class Difference(Metric):
    """PinSage's figure minus that of `method`, measured on the same queries."""


@dataclass
class Comparison:
    """All figures of all methods, and by split PinSage's hits of each query, which other runs are compared with."""

    metrics: list[Metric] = field(default_factory=list)
    slices: list[SliceMetric] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    queries: list[pa.Table] = field(default_factory=list)


@dataclass(frozen=True)
class _Measured:
    """The figures of a method on a view, and the draws of those that have any: float64 [D, M]."""

    averages: list[Average]
    draws: Draws


@dataclass(frozen=True)
class _Questions:
    """A split, the slices of its pair views by name, and the percentile of each pin's popularity: float64 [P]."""

    split: Split
    slices: dict[str, list[Slice]]
    percentiles: NDArray[np.float64]


def compare(
    scorers: Mapping[str, Scorer], splits: Iterable[Split], graph: BipartiteGraph, settings: EvaluateSettings
) -> Comparison:
    """The figures of every method on every view that holds pairs, by split, then method, then view.

    Source: PinSage §4.2, Table 1.
    """
    found, percentiles = Comparison(), popularity_percentiles(graph.pin_degrees)
    for split in splits:
        if split.num_pairs == 0:
            log.warning("%s: 0 pairs, so no metrics", split.name)
            continue
        slices = {view.name: pair_slices(view, split.queries, graph) for view in (split.all, split.new)}
        questions = _Questions(split, slices, percentiles)
        # Per method, not per view: the views of a method share its scores.
        answers = map_in_threads(partial(_answers, asked=questions, settings=settings), scorers.items())
        for part, _ in answers:
            found.metrics += part.metrics
            found.slices += part.slices
        measured = {method: views for method, (_, views) in zip(scorers, answers, strict=True)}
        found.differences += _differences(split.name, measured)
        if ALL in measured.get(PINSAGE, {}):
            found.queries.append(_hits_of_queries(split, measured[PINSAGE][ALL], deciding_rank(settings.ranks)))
    return found


def metric_table(metrics: Sequence[Metric], kind: type[Metric] = Metric) -> pa.Table:
    """The figures as a table with a column for each field of `kind`."""
    types = {"value": pa.float64(), "low": pa.float64(), "high": pa.float64(), "pairs": pa.int64()}
    schema = pa.schema([(each.name, types.get(each.name, pa.string())) for each in fields(kind)])
    return pa.Table.from_pylist([asdict(metric) for metric in metrics], schema=schema)


def spread(scorer: Scorer, seed: int) -> float:
    """The excess kurtosis of a method's scores of random pairs of pins; lower is a more even use of the space.

    Source: PinSage §4.3, Figure 3.
    """
    rng = np.random.default_rng(seed)
    queries = rng.integers(scorer.num_pins, size=SPREAD_QUERIES).astype(np.int32)
    others = rng.integers(scorer.num_pins, size=(SPREAD_QUERIES, SPREAD_PER_QUERY))
    rows = [scorer.scores(queries[row : row + 1])[0, others[row]] for row in range(SPREAD_QUERIES)]
    scores, is_other = np.array(rows), others != queries[:, None]
    # Without a pin's score of itself, and without pins that the method cannot score.
    kept = scores[is_other & (scores > UNRANKED)]
    return excess_kurtosis(kept) if len(kept) else 0.0


def _answers(
    named: tuple[str, Scorer], asked: _Questions, settings: EvaluateSettings
) -> tuple[Comparison, dict[str, _Measured]]:
    """The figures of a method on a split, and what its differences to the others are drawn from, by view."""
    (method, scorer), split = named, asked.split
    found, views, names = Comparison(), dict[str, _Measured](), (method, split.name)
    for view, ranking in _pair_rankings(scorer, split):
        views[view.name] = _pair_figures(found, names, view, ranking, settings, asked.percentiles)
        _slice_figures(found, names, view, ranking, asked.slices[view.name], settings)
    if len(split.boards.boards):
        views[BOARD] = _board_figures(found, names, split, scorer, settings)
    log.info("%s on %s: %s", method, split.name, _in_words(views))
    return found, views


def _pair_rankings(scorer: Scorer, split: Split) -> list[tuple[PairView, Ranking]]:
    """The rankings of the pair views that hold pairs; the scores of a query are computed once for both."""
    views = (split.all, split.new)
    rankings = rank_chunks(
        query_chunks(scorer, split.queries), [view.targets for view in views], depth=min(TOP_DEPTH, scorer.num_pins)
    )
    return [(view, ranking) for view, ranking in zip(views, rankings, strict=True) if len(ranking.ranks)]


def _pair_figures(
    found: Comparison, names: tuple[str, str], view: PairView, ranking: Ranking, settings: EvaluateSettings,
    percentiles: NDArray[np.float64],
) -> _Measured:  # fmt: skip
    averages = pair_averages(view, ranking, settings)
    recommended, positives = popularity_averages(view, ranking, percentiles)
    measured = _measure(averages, settings.seed)
    found.metrics += _rows(names, view.name, measured)
    is_asked = view.targets.positives.lengths > 0
    # Only rows with a question count: the views share their rows.
    share = coverage(ranking.top[is_asked], len(percentiles))
    found.metrics.append(Metric(*names, view.name, f"coverage@{TOP_DEPTH}", share, None, None))
    both = _measure([recommended, positives], settings.seed).draws
    bias = recommended.value - positives.value
    # The difference draw by draw: both means are of the same sample, so their noise cancels.
    low, high = interval(both[:, :1] - both[:, 1:])
    found.metrics.append(Metric(*names, view.name, f"popularity_bias@{TOP_DEPTH}", bias, float(low[0]), float(high[0])))
    return measured


def _slice_figures(
    found: Comparison, names: tuple[str, str], view: PairView, ranking: Ranking, slices: list[Slice],
    settings: EvaluateSettings,
) -> None:  # fmt: skip
    averages = slice_averages(view, ranking, slices, SLICE_RANK)
    rows = _rows(names, view.name, _measure(averages, settings.seed))
    for average, row in zip(averages, rows, strict=True):
        found.slices.append(
            SliceMetric(**asdict(row), slice=average.slice, part=average.part, pairs=int(average.counts.sum()))
        )
        if average.slice == COLD and average.part == "cold":
            found.metrics.append(Metric(**{**asdict(row), "metric": f"cold_{row.metric}"}))


def _board_figures(
    found: Comparison, names: tuple[str, str], split: Split, scorer: Scorer, settings: EvaluateSettings
) -> _Measured:
    chunks = board_chunks(scorer, split.boards.pins)
    (ranking,) = rank_chunks(chunks, [split.boards.targets])
    measured = _measure(board_averages(split.boards, ranking), settings.seed)
    found.metrics += _rows(names, BOARD, measured)
    return measured


def _hits_of_queries(split: Split, measured: _Measured, rank: int) -> pa.Table:
    """A row per query of a split (QUERY_SCHEMA): its positives among the first `rank` pins, and its pairs."""
    (found,) = (average for average in measured.averages if average.metric == f"hit_rate@{rank}")
    names = pa.array([split.name] * len(split.queries), pa.string())
    return pa.Table.from_arrays(
        [names, pa.array(split.queries, pa.int32()), found.sums, found.counts], schema=QUERY_SCHEMA
    )


def _measure(averages: list[Average], seed: int) -> _Measured:
    sums, counts = (np.stack([getattr(average, of) for average in averages], axis=1) for of in ("sums", "counts"))
    return _Measured(averages, resample(sums, counts, seed))


def _rows(names: tuple[str, str], view: str, measured: _Measured) -> list[Metric]:
    low, high = interval(measured.draws)
    return [
        Metric(*names, view, average.metric, average.value, float(low[place]), float(high[place]))
        for place, average in enumerate(measured.averages)
    ]


def _differences(split: str, measured: dict[str, dict[str, _Measured]]) -> list[Difference]:
    """PinSage's figures minus those of each other method, drawn on the same queries."""
    found = []
    for method, views in measured.items():
        for view, theirs in views.items() if PINSAGE in measured and method != PINSAGE else ():
            ours = measured[PINSAGE][view]
            # Paired: with the same seed both methods were drawn on the same queries.
            low, high = interval(ours.draws - theirs.draws)
            for place, (own, other) in enumerate(zip(ours.averages, theirs.averages, strict=True)):
                value = own.value - other.value
                found.append(Difference(method, split, view, own.metric, value, float(low[place]), float(high[place])))
    return found


def _in_words(views: dict[str, _Measured]) -> str:
    figures = [f"{name} {each.metric} {each.value:.4f}" for name, view in views.items() for each in view.averages[:2]]
    return ", ".join(figures)
