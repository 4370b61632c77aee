"""Register the model, check it against the champion, promote it or not, and complete the MLflow run."""

import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from pinsage.evaluation.names import ALL
from pinsage.promotion.figures import Figures
from pinsage.store.deployment import open_store
from pinsage.store.manifest import Facts, Manifest
from pinsage.store.run import Run
from pinsage.tracking.names import registered_model
from pinsage.tracking.points import metric_name
from pinsage.tracking.registry import CHALLENGER, Registry, Version
from pinsage.tracking.results import log_results
from pinsage.tracking.tracker import RUN_TAG, open_tracker
from tasks.promoting.decision import decide_on
from tasks.promoting.drift import tell_decay, tell_drift
from tasks.running.runner import code_version
from tasks.running.work import StageWork

if TYPE_CHECKING:
    from pinsage.serving.served_model import ModelParts

log = logging.getLogger(__name__)


def promote(work: StageWork) -> Facts:
    """Register the model as challenger, make it champion if it passes every check, and end the MLflow run.

    The decision is recorded with all its values. Doing it again adds no run, no version, no point and no decision.

    Returns:
        model_name, model_version, is_champion, is_waiting (for a person's answer), champion_version, reason,
        checks_failed, champion_decay (a sentence, empty if it has not lost much), mlflow_run_id, and mlflow_url (empty
        without a server).

    Raises:
        InputError: the data have drifted beyond a limit that stops; nothing is registered.
    """
    run = open_store(work.home).runs.open(work.run_id)
    tracker = open_tracker(work.settings, work.home, work.run_id)
    tracker.begin(run, code_version=code_version())
    tell_drift(work.inputs["compare_days"], run, tracker)
    registry = Registry(tracker.server, registered_model(work.settings))
    figures = _figures(work, run)
    version = _register(work, registry, figures, tracker.mlflow_run_id)
    decision = decide_on(version, registry, figures, work)
    champion = version.number if decision.promotes else decision.champion
    log.info("promote: version %d, %s", version.number, decision.reason)
    decay = tell_decay(decision, registry, run, tracker)
    log_results(tracker, run, work.inputs, decision.reason)
    return {
        "model_name": registry.model_name,
        "model_version": version.number,
        "is_champion": decision.promotes,
        "is_waiting": decision.kind == "waiting",
        "champion_version": champion,
        "reason": decision.reason,
        "checks_failed": sum(not check.passed for check in decision.checks),
        "champion_decay": decay,
        "mlflow_run_id": tracker.mlflow_run_id,
        "mlflow_url": tracker.url,
    }


def validation_scores(evaluated: Path) -> dict[str, float]:
    """PinSage's metrics on all validation pairs, by MLflow's metric name; those that are no number are left out."""
    rows = pq.read_table(evaluated / "metrics.parquet").to_pylist()
    # Validation, never test: a model chosen by its test figures would make them worthless.
    ours = [row for row in rows if (row["method"], row["split"], row["view"]) == ("pinsage", "validation", ALL)]
    return {metric_name(row["metric"]): row["value"] for row in ours if math.isfinite(row["value"])}


def _figures(work: StageWork, run: Run) -> Figures:
    ingested, words = run.result("ingest").facts, run.result("featurize_text").facts
    counts = {name: ingested.get(name) for name in ("pins", "saves", "pictures")} | {
        "words": words.get("pins_with_text")
    }
    return Figures(
        Manifest.read(work.inputs["ingest"]).key,
        validation_scores(work.inputs["evaluate"]),
        {name: count for name, count in counts.items() if isinstance(count, int)},
    )


def _register(work: StageWork, registry: Registry, figures: Figures, mlflow_run_id: str) -> Version:
    keys = {f"pinsage.{stage}_key": Manifest.read(work.inputs[stage]).key for stage in ("train", "embed", "index")}

    def package(folder: Path) -> None:
        from pinsage.serving.served_model import save_model

        save_model(folder, _parts(work))

    # The newest run over these artifacts: the champion is scored again from its record, which retention keeps.
    tags = {**keys, **figures.tags(), RUN_TAG: work.run_id}
    version = registry.find_or_create(
        keys["pinsage.index_key"], tags, package, mlflow_run_id=mlflow_run_id, scratch=work.scratch
    )
    registry.tag(version, tags)
    registry.point(CHALLENGER, version)
    return Version(version.number, {**version.tags, **tags})


def _parts(work: StageWork) -> "ModelParts":
    import numpy as np

    from pinsage.catalog.catalog import Catalog
    from pinsage.serving.served_model import ModelParts

    catalog = Catalog.open(work.inputs["ingest"])
    titles = catalog.titles(np.arange(catalog.num_pins, dtype=np.int32))
    pin_ids = catalog.pins(["pin_id"])["pin_id"].to_pylist()
    inputs = work.inputs
    return ModelParts(
        index=inputs["index"], network=inputs["train"], words=inputs["featurize_text"], settings=work.settings,
        version=Manifest.read(inputs["index"]).key, pin_ids=pin_ids, titles=titles,
    )  # fmt: skip
