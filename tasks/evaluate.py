"""Score PinSage and the baselines on held-out pairs."""

import logging

import numpy as np
import pyarrow as pa

from pinsage.catalog.parquet_files import write_parquet
from pinsage.evaluation.baselines import METHODS, Evidence, Plan, scorers
from pinsage.evaluation.comparison import Metric, Split, compared, metrics_table, sampled_split, spread
from pinsage.evaluation.examples import example_queries, examples_table
from pinsage.evaluation.ranking import Scorer
from pinsage.features.matrix import FeatureMatrix
from pinsage.graph.csr import BipartiteGraph
from pinsage.pairs.pairs import Pairs
from pinsage.store.arrays import open_array
from pinsage.store.manifest import Facts
from tasks.work import StageWork

log = logging.getLogger(__name__)
WITH_VECTORS = ("pinsage", "combined", "visual", "annotation")


def evaluate(work: StageWork) -> Facts:
    """Publish every method's metrics on validation and test pairs, and the example rows of the report.

    Returns:
        Counts of pairs, the methods and those left out for want of pictures or words, every method's hit rate at 10
        and MRR on test, PinSage's on validation too, and the kurtosis of the cosines of random pairs.
    """
    evidence, settings = _evidence(work), work.settings.evaluate
    plan = Plan(work.settings.model, work.settings.train, settings, work.scratch)
    methods = scorers(evidence, plan)
    if left_out := [name for name in METHODS if name not in methods]:
        log.warning("no pictures or no words in this data set: %s left out", ", ".join(left_out))
    splits = [_split(work, name) for name in ("validation", "test")]
    metrics = compared(methods, splits, settings)
    write_parquet(work.out / "metrics.parquet", metrics_table(metrics))
    write_parquet(work.out / "examples.parquet", _examples(work, methods, splits[-1], evidence))
    return {
        "pairs_validation": len(splits[0].pairs),
        "pairs_test": len(splits[1].pairs),
        "cold_pairs_validation": int(splits[0].is_cold.sum()),
        "cold_pairs_test": int(splits[1].is_cold.sum()),
        "methods": " ".join(methods),
        "left_out": " ".join(left_out),
        **_headline(metrics),
        **{
            f"kurtosis_{name}": round(spread(methods[name], settings.seed), 4)
            for name in WITH_VECTORS
            if name in methods
        },
    }


def _evidence(work: StageWork) -> Evidence:
    graph = BipartiteGraph.open(work.inputs["connect"])
    visual, text, spectral = (work.inputs[f"featurize_{what}"] for what in ("visual", "text", "saves"))
    return Evidence(
        embeddings=open_array(work.inputs["embed"] / "embeddings.npy", np.float32, (graph.num_pins, None)),
        features=FeatureMatrix.open(visual=visual, text=text, spectral=spectral, pin_degrees=graph.pin_degrees),
        graph=graph,
        train=Pairs.read(work.inputs["pair"] / "train.parquet"),
        validation=Pairs.read(work.inputs["pair"] / "validation.parquet"),
    )


def _split(work: StageWork, name: str) -> Split:
    pairs = Pairs.read(work.inputs["pair"] / f"{name}.parquet")
    cold_pins = open_array(work.inputs["pair"] / "cold_pins.npy", np.int32, (None,))
    return sampled_split(name, pairs, cold_pins, work.settings.evaluate)


def _examples(work: StageWork, methods: dict[str, Scorer], test: Split, evidence: Evidence) -> pa.Table:
    has_picture = evidence.features.block("has_picture")[:, 0] > 0
    has_words = evidence.features.block("has_text")[:, 0] > 0
    queries = example_queries(test.pairs.query, has_picture, has_words, work.settings.evaluate.seed)
    return examples_table(methods, queries)


def _headline(metrics: list[Metric]) -> Facts:
    wanted = {"hit_rate@10", "mrr", "cold_hit_rate@10"}
    return {
        f"{row.method}_{row.split}_{row.metric.replace('@', '_at_')}": round(row.value, 6)
        for row in metrics
        if row.metric in wanted and (row.split == "test" or row.method == "pinsage")
    }
