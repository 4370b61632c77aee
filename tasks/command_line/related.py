"""The pins that a run's index finds for a pin: the answer of the whole pipeline, on the command line."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pinsage.catalog.catalog import Catalog
from pinsage.errors import ArtifactMissingError
from pinsage.index.pin_index import PinIndex
from pinsage.store.deployment import Store, open_store
from pinsage.store.run import Run

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Related:
    """One pin of an answer; `score` is its cosine similarity to the query plus its popularity."""

    rank: int
    score: float
    pin_id: str
    title: str


@dataclass(frozen=True)
class Answer:
    """The query's title, the run whose index was asked, and its answer, the pin with the highest score first."""

    title: str
    run_id: str
    related: list[Related]


def related_pins(home: Path, pin_id: str, k: int, *, run_id: str = "") -> Answer:
    """The `k` pins that score highest for `pin_id` in the index of a run; of the newest run that has one by default.

    Raises:
        UnknownPinError: the run's catalog has no such pin; the message names ids that look alike.
        ArtifactMissingError: no run has come as far as the index.
        RunRecordError: there is no such run.
    """
    store = open_store(home)
    run = store.runs.open(run_id) if run_id else latest_with(store, "index")
    catalog = Catalog.open(store.artifacts.folder("ingest", run.result("ingest").key))
    pin = catalog.pin_ids.row(pin_id)
    pins, scores = PinIndex.open(store.artifacts.folder("index", run.result("index").key)).related(pin, k)
    title, *titles = catalog.titles(np.concatenate([np.array([pin], np.int32), pins]))
    rows = zip(scores.tolist(), catalog.pin_ids.pin_ids(pins), titles, strict=True)
    return Answer(title, run.run_id, [Related(rank, *row) for rank, row in enumerate(rows, start=1)])


def latest_with(store: Store, stage: str) -> Run:
    """The newest run in which a stage has ended, of those whose record can be read.

    Raises:
        ArtifactMissingError: there is none.
        RunRecordError: the record of a stage in a newer run is damaged.
    """
    runs, unreadable = store.runs.all()
    for run_id, error in unreadable.items():
        log.warning("Run %s is left out: %s", run_id, error)
    for run in runs:
        if stage in run.results():
            return run
    raise ArtifactMissingError(f"No run in {store.place} has ended its stage '{stage}'. Start one with `pinsage run`.")
