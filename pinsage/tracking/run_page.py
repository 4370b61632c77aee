"""The MLflow page of a pipeline run: metrics, facts as parameters, and a description with a table."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pinsage.evaluation.names import ALL, NEW, PINSAGE
from pinsage.store.manifest import Fact
from pinsage.store.run import StageResult
from pinsage.tracking.points import metric_name

# Facts that measure something: they are worth a chart over several runs. All others are parameters.
_MEASURED = {
    "featurize_visual": ("pictures_per_s",),
    "featurize_saves": ("energy_captured",),
    "walk": ("pins_per_second", "hops_per_second"),
    "train": ("pairs_per_s",),
    "index": ("recall_at_10", "queries_per_s", "p99_ms", "size_mb", "curve"),
    "report": ("overlap_at_10", "rbo_at_10"),
}
_TABLE = (ALL, NEW)  # the views of the description's columns

Row = dict[str, Any]


def quality(evaluated: Path, deciding: str) -> dict[str, float]:
    """The metrics of an evaluation: one of every method, all of PinSage; metrics.csv among the artifacts has the rest.

    Args:
        evaluated: the artifact of `evaluate`.
        deciding: the metric of every method, as MLflow names it.
    """
    rows = _rows(evaluated)
    every = {f"{deciding}/{_part(row)}/{row['method']}": row["value"] for row in rows if row["metric"] == deciding}
    ours = {f"{PINSAGE}/{_part(row)}/{row['metric']}": row["value"] for row in rows if row["method"] == PINSAGE}
    return every | ours


def measurements(results: Iterable[StageResult]) -> dict[str, float]:
    """The stages' own measurements, and the seconds they took."""
    found = list(results)
    seconds = {f"seconds/{result.stage}": result.seconds for result in found}
    facts = {
        f"stages/{result.stage}_{name}": float(value)
        for result in found
        for name in _MEASURED.get(result.stage, ())
        if isinstance(value := result.facts.get(name), int | float)
    }
    return seconds | facts


def facts(results: Iterable[StageResult]) -> dict[str, Fact]:
    """The other facts, as `stage/name`; not those that are among the metrics, and none that is empty."""
    return {
        f"{result.stage}/{name}": value
        for result in results
        for name, value in result.facts.items()
        if value not in (None, "") and name not in _MEASURED.get(result.stage, ()) and not _is_metric(result, name)
    }


def description(evaluated: Path, deciding: str, reason: str, origin: Mapping[str, str]) -> str:
    """The hit rates on test of every method from the best down, the decision about the model, and the DAG run."""
    rows = [row for row in _rows(evaluated) if row["split"] == "test" and row["metric"] == deciding]
    by_method: dict[str, dict[str, float]] = {}
    for row in rows:
        by_method.setdefault(row["method"], {})[row["view"]] = row["value"]
    ranked = sorted(by_method.items(), key=lambda item: -item[1].get(ALL, -math.inf))
    words = deciding.replace("_", " ")
    lines = [f"| method | {words} on test | on new pairs |", "|---|---|---|"]
    lines += [f"| {_emphasize(method)} | {' | '.join(_figures(views))} |" for method, views in ranked]
    page = [f"[The DAG run in Airflow]({origin['airflow_url']})"] if origin.get("airflow_url") else []
    return "\n\n".join(["\n".join(lines), reason, *page])


def _rows(evaluated: Path) -> list[Row]:
    """The figures, with MLflow's name of each metric, those on test first; what is no number is left out."""
    rows: list[Row] = pq.read_table(evaluated / "metrics.parquet").to_pylist()
    kept = [{**row, "metric": metric_name(row["metric"])} for row in rows if math.isfinite(row["value"])]
    return sorted(kept, key=_part)


def _part(row: Row) -> str:
    """The split, and the view where it is not the one that decides."""
    return str(row["split"]) if row["view"] == ALL else f"{row['split']}_{row['view']}"


def _is_metric(result: StageResult, name: str) -> bool:
    methods = str(result.facts.get("methods", "")).split() if result.stage == "evaluate" else ()
    return name.startswith(tuple(f"{method}_{split}_" for method in methods for split in ("test", "validation")))


def _figures(views: Mapping[str, float]) -> list[str]:
    return [f"{views[view]:.4f}" if view in views else "" for view in _TABLE]


def _emphasize(method: str) -> str:
    return f"**{method}**" if method == PINSAGE else method
