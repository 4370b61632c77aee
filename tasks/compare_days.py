"""Compare the run with the run before it and with the champion's: has the data drifted, or the model?"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from pinsage.catalog.ids import rows_among
from pinsage.drift.changes import data_changes, levels
from pinsage.drift.embeddings import embedding_shift
from pinsage.drift.measures import Measure, assess, unusual, worst
from pinsage.drift.profile import Profile, profile
from pinsage.drift.table import write_history, write_measures
from pinsage.errors import ArtifactDamagedError, ArtifactMissingError
from pinsage.graph.csr import BipartiteGraph
from pinsage.release.candidate import Candidate
from pinsage.release.contents import EMBEDDINGS
from pinsage.release.difference import kept_neighbors
from pinsage.store.arrays import open_array
from pinsage.store.artifact import Artifact
from pinsage.store.deployment import Store, open_store
from pinsage.store.manifest import Facts
from tasks.running.former import BEFORE, CHAMPION, STAGE
from tasks.running.work import StageWork

log = logging.getLogger(__name__)
_ANSWERS = ("ingest", "embed", "index")  # the artifacts that say which pins go with a pin
_MOST_PINS = 50_000  # common pins whose embeddings are aligned
_NAMES = {BEFORE: "the run before", CHAMPION: "the champion's run"}


def compare_days(work: StageWork) -> Facts:
    """Publish the profile of the run, `drift.parquet` with the measures, and `history.parquet` for their lines.

    Returns:
        the verdict on all measures, the number of those that warn and that stop, their sentences, and a sentence on
        each of the two runs that could not be compared with.
    """
    store, today = open_store(work.home), profile(work.inputs)
    today.write(work.out)
    found = {role: _open(str(work.identity.get(role) or ""), role, store) for role in _NAMES}
    changes = {role: each.changes(work, store, today) for role, each in found.items()}
    measures = assess(levels(today), changes[BEFORE], changes[CHAMPION], work.settings.drift)
    write_measures(work.out, measures)
    before = found[BEFORE].artifact
    write_history(work.out, measures, today.as_of, before.folder if before else None)
    for sentence in unusual(measures, "warning", "stop"):
        log.warning("drift: %s", sentence)
    return {**_facts(measures), **{f"without_{role}": each.reason for role, each in found.items()}}


@dataclass(frozen=True)
class _Former:
    """An earlier run: its artifact, or why there is none to compare with."""

    artifact: Artifact | None
    reason: str

    def changes(self, work: StageWork, store: Store, today: Profile) -> dict[str, float]:
        """Every change since this run, of the data and of the model."""
        if self.artifact is None:
            return {}
        data = data_changes(Profile.read(self.artifact.folder), today, work.inputs["featurize_visual"])
        return data | _model_changes(self.artifact, work, store)


def _open(key: str, role: str, store: Store) -> _Former:
    if not key:
        return _Former(None, f"There is no {_NAMES[role].removeprefix('the ')} to compare with.")
    try:
        return _Former(store.artifacts.open(STAGE, key), "")
    except (ArtifactMissingError, ArtifactDamagedError) as error:
        log.warning("drift: %s cannot be compared with: %s", _NAMES[role], error)
        return _Former(None, f"Not compared with {_NAMES[role]}, since its artifacts are gone or damaged.")


def _model_changes(former: Artifact, work: StageWork, store: Store) -> dict[str, float]:
    """The churn of the first related pins and the shift of the embeddings; empty where the earlier model is gone."""
    try:
        folders = {name: store.artifacts.folder(name, former.manifest.inputs[name]) for name in _ANSWERS}
        before, now = Candidate(folders), Candidate(work.inputs)
    except (ArtifactMissingError, ArtifactDamagedError) as error:
        log.warning("drift: an earlier model cannot be compared with: %s", error)
        return {}
    kept = kept_neighbors(before, now, saves=BipartiteGraph.open(work.inputs["connect"]).pin_degrees)
    shift = _shift(before, now, (folders, work.inputs))
    return {
        name: value
        for name, value in (("churn", None if kept is None else 1 - kept), ("embeddings", shift))
        if value is not None
    }


def _shift(before: Candidate, now: Candidate, folders: tuple[Mapping[str, Path], Mapping[str, Path]]) -> float | None:
    ids = before.pin_ids.array.filter(pc.is_in(before.pin_ids.array, now.pin_ids.array))
    chosen = np.sort(np.random.default_rng(0).permutation(len(ids))[:_MOST_PINS])
    ids = ids.take(chosen)
    vectors = (
        open_array(folder["embed"] / EMBEDDINGS, np.float32, (None, None))[rows_among(ids, side.pin_ids.array)]
        for side, folder in zip((before, now), folders, strict=True)
    )
    return embedding_shift(*vectors)


def _facts(measures: list[Measure]) -> Facts:
    return {
        "verdict": worst(measures),
        "warnings": sum(each.verdict == "warning" for each in measures),
        "stops": sum(each.verdict == "stop" for each in measures),
        "unusual": " ".join(unusual(measures, "warning", "stop")),
    }
