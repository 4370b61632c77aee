"""Lineage of a stage: what it read and what it made, each by the place where it lies."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pinsage.store.deployment import Store, open_store
from pinsage.store.run import Run, StageResult
from tasks.running.runner import stages_of


@dataclass(frozen=True)
class Lineage:
    """Folders and URLs that a stage read, and those that it made. A registered model is `models:/name/version`."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def lineage(stage: str, run_id: str, home: Path) -> Lineage:
    """The lineage of a stage of a run. One that has not ended made nothing.

    Raises:
        RunRecordError: there is no such run, or its record is damaged.
    """
    store = open_store(home)
    run = store.runs.open(run_id)
    reads = stages_of(run)[stage]
    inputs = [run.settings.data.dataset] if stage == "ingest" else _places(reads.inputs, run, store)
    if reads.fitted:
        inputs += _places(reads.fitted, store.runs.open(run.model_run), store)
    return Lineage(tuple(dict.fromkeys(inputs)), tuple(_places([stage], run, store)))


def _places(stages: Iterable[str], run: Run, store: Store) -> list[str]:
    results = run.results()
    found = [_place(results[stage], run, store) for stage in stages if stage in results]
    return [place for place in found if place]


def _place(result: StageResult, run: Run, store: Store) -> str:
    """The place of what a stage made; empty where it made nothing of its own."""
    facts = result.facts
    if stages_of(run)[result.stage].has_artifact:
        return f"{store.place}/artifacts/{result.stage}/{result.key}"
    if facts.get("model_version"):
        return f"models:/{facts['model_name']}/{facts['model_version']}"
    return str(facts.get("folder", ""))  # of a release
