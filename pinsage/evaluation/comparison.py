"""Every method's metrics on the held-out pairs, and on those among them that touch a cold pin."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pinsage.evaluation.metrics import excess_kurtosis, hit_rate, scaled_mrr
from pinsage.evaluation.ranking import UNRANKED, Scorer, ranks
from pinsage.pairs.pairs import Pairs
from pinsage.settings import EvaluateSettings

log = logging.getLogger(__name__)
COLD_RANK = 10
SPREAD_QUERIES, SPREAD_PER_QUERY = 500, 40


@dataclass(frozen=True)
class Metric:
    """One figure of the comparison: `metric` is hit_rate@K, mrr or cold_hit_rate@10, `split` validation or test."""

    method: str
    split: str
    metric: str
    value: float


@dataclass(frozen=True)
class Split:
    """Held-out pairs by the name of their part, and which of them touch a cold pin (bool [N])."""

    name: str
    pairs: Pairs
    is_cold: NDArray[np.bool_]


def sampled_split(name: str, pairs: Pairs, cold_pins: NDArray[np.int32], settings: EvaluateSettings) -> Split:
    """At most `settings.max_pairs` of the pairs, drawn by the seed, with the cold ones marked."""
    if len(pairs) > settings.max_pairs:
        rng = np.random.default_rng(settings.seed)
        chosen = np.sort(rng.choice(len(pairs), settings.max_pairs, replace=False))
        log.info("%s: %d of %d pairs drawn (evaluate.max_pairs)", name, len(chosen), len(pairs))
        pairs = Pairs(pairs.query[chosen], pairs.positive[chosen])
    return Split(name, pairs, np.isin(pairs.query, cold_pins) | np.isin(pairs.positive, cold_pins))


def compared(scorers: Mapping[str, Scorer], splits: Iterable[Split], settings: EvaluateSettings) -> list[Metric]:
    """The metrics of every method on every split that has pairs, by split, then method, then metric.

    A split without a cold pair has no cold_hit_rate@10: no figure is not a figure of 0.

    Source: PinSage §4.2, Table 1.
    """
    found = []
    for split in splits:
        if len(split.pairs) == 0:
            log.warning("%s: 0 pairs, so no metrics", split.name)
            continue
        for method, scorer in scorers.items():
            rows = _metrics(method, split, ranks(scorer, split.pairs), settings)
            log.info("%s on %s: %s", method, split.name, ", ".join(f"{row.metric} {row.value:.4f}" for row in rows))
            found += rows
    return found


def metrics_table(metrics: list[Metric]) -> pa.Table:
    """The metrics as a table with the columns method, split, metric (string) and value (float64)."""
    schema = pa.schema([("method", "string"), ("split", "string"), ("metric", "string"), ("value", "float64")])
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
    kept = scores[is_other & (scores > UNRANKED)]
    return excess_kurtosis(kept) if len(kept) else 0.0


def _metrics(method: str, split: Split, found: NDArray[np.int64], settings: EvaluateSettings) -> list[Metric]:
    rates = {f"hit_rate@{k}": hit_rate(found, k) for k in sorted(set(settings.ranks))}
    rates["mrr"] = scaled_mrr(found, settings.mrr_scale)
    if split.is_cold.any():
        rates[f"cold_hit_rate@{COLD_RANK}"] = hit_rate(found[split.is_cold], COLD_RANK)
    return [Metric(method, split.name, metric, value) for metric, value in rates.items()]
