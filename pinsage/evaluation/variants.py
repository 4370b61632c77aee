"""Figures of several runs side by side: a row per variant of the settings, over its seeds.

S seeds, R queries, D draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pinsage.evaluation.intervals import interval, resample
from pinsage.evaluation.names import ALL, PINSAGE

TEST = "test"
Row = dict[str, Any]


@dataclass(frozen=True)
class VariantRun:
    """One run that has been evaluated: rows of `metrics.parquet` and `slices.parquet`, the table `queries.parquet`."""

    variant: str
    seed: int
    metrics: list[Row]
    queries: pa.Table
    slices: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class Spread:
    """A figure over the seeds: its mean, and its standard deviation where there are several."""

    mean: float
    deviation: float | None


@dataclass(frozen=True)
class Lead:
    """The deciding hit rate minus that of the first variant, with a 95 % interval over the queries."""

    value: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """True if the interval leaves out zero."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class ComparedRow:
    """The figures of a variant, or of a simple method, on test pairs, by view and metric."""

    name: str
    num_seeds: int
    figures: dict[tuple[str, str], Spread]
    lead: Lead | None = None
    is_method: bool = field(default=False, kw_only=True)


@dataclass(frozen=True)
class SliceRow:
    """The hit rates of the variants, by name, on one part of all test pairs: the `pairs` that are `part` of a slice."""

    slice: str
    part: str
    pairs: int
    figures: dict[str, Spread]


def comparison_rows(runs: Sequence[VariantRun]) -> list[ComparedRow]:
    """A row per variant in their order, then one per simple method, scored beside some run of the first variant."""
    by_variant: dict[str, list[VariantRun]] = {}
    for run in runs:
        by_variant.setdefault(run.variant, []).append(run)
    first = next(iter(by_variant.values()), [])
    rows = [
        ComparedRow(name, len(of_seeds), _figures(of_seeds, PINSAGE), lead(first, of_seeds) if i else None)
        for i, (name, of_seeds) in enumerate(by_variant.items())
    ]
    methods = dict.fromkeys(row["method"] for run in first for row in run.metrics if row["method"] != PINSAGE)
    return rows + [ComparedRow(name, 1, _figures(first, name), is_method=True) for name in methods]


def lead(first: Sequence[VariantRun], other: Sequence[VariantRun]) -> Lead | None:
    """The lead of a variant over the first one, the mean over the seeds of each, drawn on the same queries.

    None where they were not asked the same: their pairs differ.
    """
    ours, theirs = _over_seeds(other), _over_seeds(first)
    if ours is None or theirs is None or not np.array_equal(ours[:, [0, 2]], theirs[:, [0, 2]]):
        return None
    hits = np.stack([ours[:, 1], theirs[:, 1]], axis=1)  # [R, 2]
    pairs = np.stack([ours[:, 2], theirs[:, 2]], axis=1)
    draws = resample(hits, pairs, seed=0)  # [D, 2]
    low, high = interval(draws[:, :1] - draws[:, 1:])
    value, base = hits.sum(axis=0) / pairs.sum(axis=0)
    return Lead(float(value - base), float(low[0]), float(high[0]))


def slice_rows(runs: Sequence[VariantRun]) -> list[SliceRow]:
    """A row per part of every slice, in the order of the first run.

    A variant whose graph cuts the pairs elsewhere (other degrees, other boards) has rows of its own.
    """
    found: dict[tuple[str, str, int], dict[str, list[float]]] = {}
    for run in runs:
        for row in run.slices:
            if (row["method"], row["split"], row["view"]) == (PINSAGE, TEST, ALL):
                part = found.setdefault((row["slice"], row["part"], row["pairs"]), {})
                part.setdefault(run.variant, []).append(row["value"])
    return [SliceRow(*of, {name: _spread(values) for name, values in part.items()}) for of, part in found.items()]


def comparison_table(rows: Sequence[ComparedRow]) -> pa.Table:
    """All figures as a table: name, is_method, seeds, view, metric, mean, sd; of variants lead, low and high too."""
    schema = pa.schema(
        [("name", pa.string()), ("is_method", pa.bool_()), ("seeds", pa.int32()), ("view", pa.string()),
         ("metric", pa.string()), ("mean", pa.float64()), ("sd", pa.float64()), ("lead", pa.float64()),
         ("lead_low", pa.float64()), ("lead_high", pa.float64())]
    )  # fmt: skip
    return pa.Table.from_pylist([line for row in rows for line in _lines(row)], schema=schema)


def slice_table(rows: Sequence[SliceRow]) -> pa.Table:
    """The figures of the slices as a table: slice, part, pairs, name (of the variant), mean, sd."""
    schema = pa.schema(
        [("slice", pa.string()), ("part", pa.string()), ("pairs", pa.int64()), ("name", pa.string()),
         ("mean", pa.float64()), ("sd", pa.float64())]
    )  # fmt: skip
    lines = [
        {"slice": row.slice, "part": row.part, "pairs": row.pairs, "name": name, "mean": of.mean, "sd": of.deviation}
        for row in rows
        for name, of in row.figures.items()
    ]
    return pa.Table.from_pylist(lines, schema=schema)


def _figures(runs: Sequence[VariantRun], method: str) -> dict[tuple[str, str], Spread]:
    found: dict[tuple[str, str], list[float]] = {}
    for run in runs:
        for row in run.metrics:
            if (row["method"], row["split"]) == (method, TEST):
                found.setdefault((row["view"], row["metric"]), []).append(row["value"])
    return {of: _spread(values) for of, values in found.items()}


def _spread(values: list[float]) -> Spread:
    return Spread(float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None)


def _over_seeds(runs: Sequence[VariantRun]) -> np.ndarray | None:
    """Per query its pin, its hits on average over the seeds, its pairs: float64 [R, 3]; None if the pairs differ."""
    tables = [run.queries.filter(pc.equal(run.queries["split"], TEST)) for run in runs]
    columns = [np.stack([table[name].to_numpy() for name in ("query", "hits", "pairs")], axis=1) for table in tables]
    if not columns or any(not np.array_equal(each[:, [0, 2]], columns[0][:, [0, 2]]) for each in columns):
        return None
    return np.mean(columns, axis=0) if len(columns[0]) else None


def _lines(row: ComparedRow) -> list[Row]:
    led = row.lead
    about = {"name": row.name, "is_method": row.is_method, "seeds": row.num_seeds}
    of_lead = {"lead": led and led.value, "lead_low": led and led.low, "lead_high": led and led.high}
    return [
        {**about, "view": view, "metric": metric, "mean": figure.mean, "sd": figure.deviation, **of_lead}
        for (view, metric), figure in row.figures.items()
    ]
