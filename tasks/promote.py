"""Register the model, let it beat the champion or not, and complete the MLflow run."""

import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from pinsage.evaluation.names import ALL
from pinsage.store.deployment import open_store
from pinsage.store.manifest import Facts, Manifest
from pinsage.tracking.names import deciding_metric
from pinsage.tracking.points import metric_name
from pinsage.tracking.promotion import Decision, decide, score_tags
from pinsage.tracking.registry import CHALLENGER, CHAMPION, Registry, Version
from pinsage.tracking.results import log_results
from pinsage.tracking.tracker import open_tracker
from tasks.running.runner import code_version
from tasks.running.work import StageWork

if TYPE_CHECKING:
    from pinsage.serving import ModelParts

log = logging.getLogger(__name__)

DECISION_TAG = "pinsage.decision"


def promote(work: StageWork) -> Facts:
    """Register the model as challenger, make it champion if it gained enough, and end the MLflow run.

    Doing it again adds no run, no version and no point.

    Returns:
        model_version, is_champion, champion_version, reason, mlflow_run_id, and mlflow_url (empty without a server).
    """
    run = open_store(work.home).runs.open(work.run_id)
    tracker = open_tracker(work.settings, work.home, work.run_id)
    tracker.begin(run, code_version=code_version())
    registry = Registry(tracker, work.settings.tracking.model_name)
    version = _register(work, registry)
    decision, champion = _decide(work, registry, version)
    log.info("promote: version %d, %s", version.number, decision.reason)
    log_results(tracker, run, work.inputs, decision.reason)
    return {
        "model_version": version.number,
        "is_champion": decision.promoted,
        "champion_version": champion.number if champion else None,
        "reason": decision.reason,
        "mlflow_run_id": tracker.mlflow_run_id,
        "mlflow_url": tracker.url,
    }


def _register(work: StageWork, registry: Registry) -> Version:
    keys = {f"pinsage.{stage}_key": Manifest.read(work.inputs[stage]).key for stage in ("train", "embed", "index")}
    scores = score_tags(validation_scores(work.inputs["evaluate"]), data_key=Manifest.read(work.inputs["ingest"]).key)

    def package(folder: Path) -> None:
        from pinsage.serving import save_model

        save_model(folder, _parts(work))

    version = registry.find_or_create(keys["pinsage.index_key"], {**keys, **scores}, package)
    registry.tag(version, scores)
    registry.point(CHALLENGER, version)
    return Version(version.number, {**version.tags, **scores})


def _decide(work: StageWork, registry: Registry, version: Version) -> tuple[Decision, Version | None]:
    """The decision and the champion after it; the reason is written down before the alias moves."""
    metric, min_gain = deciding_metric(work.settings.evaluate.ranks), work.settings.promote.min_gain
    # Compared and moved in one go: of two runs that end together both might beat the old champion.
    with registry.tracker.server.one_at_a_time():
        champion = registry.champion()
        decision = decide(version, champion, metric=metric, min_gain=min_gain)
        if champion and champion.number == version.number:
            return decision, champion
        # First the reason, then the alias: whoever sees a new champion can read why.
        registry.tag(version, {DECISION_TAG: decision.reason})
        if not decision.promoted:
            return decision, champion
        registry.point(CHAMPION, version)
        return decision, version


def validation_scores(evaluated: Path) -> dict[str, float]:
    """PinSage's metrics on all validation pairs, by MLflow's metric name; those that are no number are left out."""
    rows = pq.read_table(evaluated / "metrics.parquet").to_pylist()
    # Validation, never test: a model chosen by its test figures would make them worthless.
    ours = [row for row in rows if (row["method"], row["split"], row["view"]) == ("pinsage", "validation", ALL)]
    return {metric_name(row["metric"]): row["value"] for row in ours if math.isfinite(row["value"])}


def _parts(work: StageWork) -> "ModelParts":
    import numpy as np

    from pinsage.catalog.catalog import Catalog
    from pinsage.serving import ModelParts

    catalog = Catalog.open(work.inputs["ingest"])
    titles = catalog.titles(np.arange(catalog.num_pins, dtype=np.int32))
    pin_ids = catalog.pins(["pin_id"])["pin_id"].to_pylist()
    return ModelParts(index=work.inputs["index"], network=work.inputs["train"], pin_ids=pin_ids, titles=titles)
