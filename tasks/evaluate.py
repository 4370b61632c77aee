"""Score PinSage and the baselines on held-out saves."""

import logging
from pathlib import Path

import numpy as np
import pyarrow as pa

from pinsage.evaluation.baselines.methods import Methods, make_methods
from pinsage.evaluation.comparison import (
    QUERY_SCHEMA,
    Comparison,
    Difference,
    Metric,
    SliceMetric,
    compare,
    metric_table,
    spread,
)
from pinsage.evaluation.examples import example_queries, examples_table
from pinsage.evaluation.inputs import MethodInputs, MethodSettings
from pinsage.evaluation.names import ALL
from pinsage.evaluation.ranking import Scorer
from pinsage.evaluation.views import Split, split_views
from pinsage.features.matrix import FeatureMatrix
from pinsage.graph.csr import BipartiteGraph
from pinsage.pairs.pairs import HeldOutPairs, Pairs
from pinsage.store.arrays import open_array
from pinsage.store.manifest import Facts
from pinsage.store.parquet_files import write_parquet
from tasks.running.work import StageWork

WITH_VECTORS = ("pinsage", "combined", "visual", "annotation")
log = logging.getLogger(__name__)


def evaluate(work: StageWork) -> Facts:
    """Publish every method's figures on validation and test, in all and by slices, and the example rows of the report.

    Returns:
        Counts of pairs and boards, the methods, those left out with the reason, the values the others were tuned to,
        every method's hit rate at 10 and scaled MRR on test, PinSage's on validation too, and the kurtosis of the
        cosines of random pairs.
    """
    inputs, settings = _inputs(work), work.settings.evaluate
    plan = MethodSettings(work.settings.model, work.settings.train, settings, work.scratch)
    validation, test = (_split(work, name, inputs) for name in ("validation", "test"))
    methods = make_methods(settings.methods, inputs, plan, validation)
    found = compare(methods.scorers, (validation, test), inputs.graph, settings)
    _write(found, work.out)
    write_parquet(work.out / "examples.parquet", _examples(work, methods.scorers, test, inputs))
    spreads = {name: spread(methods.scorers[name], settings.seed) for name in WITH_VECTORS if name in methods.scorers}
    return {
        **_counts(validation),
        **_counts(test),
        **_about(methods),
        **_headline(found.metrics),
        **{f"kurtosis_{name}": round(value, 4) for name, value in spreads.items()},
    }


def _inputs(work: StageWork) -> MethodInputs:
    graph, pairs = BipartiteGraph.open(work.inputs["connect"]), work.inputs["pair"]
    popularity = work.inputs["embed"] / "popularity.npy"
    return MethodInputs(
        embeddings=open_array(work.inputs["embed"] / "embeddings.npy", np.float32, (graph.num_pins, None)),
        features=FeatureMatrix.open(work.inputs),
        graph=graph,
        train=Pairs.read(pairs / "train.parquet"),
        validation=HeldOutPairs.read(pairs / "validation.parquet"),
        popularity=open_array(popularity, np.float32, (graph.num_pins,)) if popularity.is_file() else None,
    )


def _split(work: StageWork, name: str, inputs: MethodInputs) -> Split:
    held_out = HeldOutPairs.read(work.inputs["pair"] / f"{name}.parquet")
    # With the graph of training saves alone: it decides which boards can ask.
    return split_views(name, held_out, inputs.train, inputs.graph, work.settings.evaluate)


def _write(found: Comparison, folder: Path) -> None:
    write_parquet(folder / "metrics.parquet", metric_table(found.metrics))
    write_parquet(folder / "slices.parquet", metric_table(found.slices, SliceMetric))
    write_parquet(folder / "differences.parquet", metric_table(found.differences, Difference))
    write_parquet(folder / "queries.parquet", pa.concat_tables([QUERY_SCHEMA.empty_table(), *found.queries]))


def _examples(work: StageWork, methods: dict[str, Scorer], test: Split, inputs: MethodInputs) -> pa.Table:
    has_picture, has_words = (inputs.features.has_content(name) for name in ("visual", "text"))
    queries = example_queries(test.queries, has_picture, has_words, work.settings.evaluate.seed)
    return examples_table(methods, queries)


def _counts(split: Split) -> Facts:
    counts = {"pairs": split.num_pairs, "new_pairs": len(split.new.board), "boards": len(split.boards.boards)}
    return {f"{name}_{split.name}": count for name, count in counts.items()}


def _about(methods: Methods) -> Facts:
    left_out = "; ".join(f"{name}: {reason}" for name, reason in methods.left_out.items())
    return {"methods": " ".join(methods.scorers), "left_out": left_out, **methods.tuned}


def _headline(metrics: list[Metric]) -> Facts:
    wanted = {"hit_rate@10", "scaled_mrr", "cold_hit_rate@10"}
    return {
        f"{row.method}_{row.split}_{row.metric.replace('@', '_at_')}": round(row.value, 6)
        for row in metrics
        if row.view == ALL and row.metric in wanted and (row.split == "test" or row.method == "pinsage")
    }
