"""Figures of several runs side by side, against sums by hand."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from pinsage.evaluation.comparison import QUERY_SCHEMA
from pinsage.evaluation.variants import (
    Spread,
    VariantRun,
    comparison_rows,
    comparison_table,
    lead,
    slice_rows,
    slice_table,
)

QUERIES = 400


def run_of(variant, seed, hits, *, pairs=None, methods=()):
    """A run whose PinSage has these hits of each query."""
    pairs = np.ones(len(hits)) if pairs is None else pairs
    table = pa.table(
        [pa.array(["test"] * len(hits)), np.arange(len(hits), dtype=np.int32), np.asarray(hits, float), pairs],
        schema=QUERY_SCHEMA,
    )
    rate = float(np.sum(hits) / max(np.sum(pairs), 1))
    metrics = [
        {"method": method, "split": split, "view": "all", "metric": "hit_rate@10", "value": rate if ours else 0.1}
        for method, ours in [("pinsage", True), *((name, False) for name in methods)]
        for split in ("validation", "test")
    ]
    return VariantRun(variant, seed, metrics, table)


def drawn(share, seed):
    """Hits of some queries."""
    return (np.random.default_rng(seed).random(QUERIES) < share).astype(float)


def test_a_variant_is_the_mean_and_spread_over_its_seeds():
    """Test figures alone; simple methods once, after the variants."""
    runs = [
        run_of("a", 0, drawn(0.3, 0), methods=("pixie",)),
        run_of("a", 1, drawn(0.3, 1)),
        run_of("b", 0, drawn(0.3, 2)),
    ]
    first, second, method = comparison_rows(runs)
    rates = [drawn(0.3, 0).mean(), drawn(0.3, 1).mean()]
    figure = first.figures["all", "hit_rate@10"]
    assert (figure.mean, figure.deviation) == (pytest.approx(np.mean(rates)), pytest.approx(np.std(rates, ddof=1)))
    assert (first.name, first.num_seeds, first.lead) == ("a", 2, None)
    assert (second.name, second.figures["all", "hit_rate@10"].deviation) == ("b", None)
    assert (method.name, method.is_method) == ("pixie", True)


def test_a_lead_is_the_difference_of_the_means_over_the_seeds():
    """Its interval leaves out zero where one is clearly better, and holds it where both are alike."""
    base = [run_of("a", seed, drawn(0.3, seed)) for seed in range(3)]
    better = [run_of("b", seed, np.maximum(drawn(0.3, seed), drawn(0.2, 10 + seed))) for seed in range(3)]
    found = lead(base, better)
    rate = {name: np.mean([run.metrics[0]["value"] for run in runs]) for name, runs in (("a", base), ("b", better))}
    assert found.value == pytest.approx(rate["b"] - rate["a"])
    assert 0 < found.low < found.value < found.high
    assert found.is_clear
    assert not lead(base, base[::-1]).is_clear


def test_pairs_of_a_query_weigh_as_many():
    """A query with nine pairs counts nine times."""
    pairs = np.array([1.0, 9.0] * 50)
    base, other = run_of("a", 0, np.zeros(100), pairs=pairs), run_of("b", 0, np.array([0.0, 9.0] * 50), pairs=pairs)
    assert lead([base], [other]).value == pytest.approx(0.9)


def test_variants_that_were_asked_other_pairs_have_no_lead():
    """Another split, or another number of queries: nothing can be paired."""
    base = [run_of("a", 0, drawn(0.3, 0))]
    assert lead(base, [run_of("b", 0, drawn(0.3, 0), pairs=np.full(QUERIES, 2.0))]) is None
    assert lead(base, [run_of("b", 0, drawn(0.3, 0)[1:])]) is None
    assert lead(base, [run_of("b", 0, [])]) is None


def test_the_table_has_every_figure_of_every_row():
    """With the lead beside each figure of a variant."""
    runs = [run_of("a", 0, drawn(0.3, 0), methods=("pixie",)), run_of("b", 0, drawn(0.9, 1))]
    rows = comparison_table(comparison_rows(runs)).to_pylist()
    assert [(row["name"], row["is_method"]) for row in rows] == [("a", False), ("b", False), ("pixie", True)]
    assert rows[1]["lead_low"] > 0
    assert rows[0]["lead"] is rows[2]["lead"] is None


def test_slices_have_a_row_per_part_and_a_figure_per_variant():
    """PinSage's test pairs of the view `all` alone; parts of other sizes are other parts."""

    def slice_of(value, pairs=30, **more):
        about = {"method": "pinsage", "split": "test", "view": "all", "metric": "hit_rate@10", "slice": "cold"}
        return {**about, "part": "warm", "value": value, "pairs": pairs, **more}

    others = [slice_of(0.9, method="pixie"), slice_of(0.9, split="validation"), slice_of(0.9, view="new")]
    given = [("a", 0, [slice_of(0.1), *others]), ("a", 1, [slice_of(0.3)]), ("b", 0, [slice_of(0.4, pairs=20)])]
    runs = [replace(run_of(name, seed, drawn(0.3, seed)), slices=slices) for name, seed, slices in given]
    first, second = slice_rows(runs)
    assert (first.slice, first.part, first.pairs) == ("cold", "warm", 30)
    assert first.figures == {"a": Spread(pytest.approx(0.2), pytest.approx(0.02**0.5))}
    assert second.figures == {"b": Spread(0.4, None)}
    assert slice_table([first, second])["mean"].to_pylist() == pytest.approx([0.2, 0.4])
