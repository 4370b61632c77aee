"""Let a refresh pass, or refuse it because it would change too much."""

import logging

import pyarrow.compute as pc

from pinsage.errors import InputError
from pinsage.release.candidate import Candidate
from pinsage.release.difference import kept_neighbors
from pinsage.release.releases import Releases
from pinsage.store.deployment import open_store
from pinsage.store.manifest import Facts, Manifest
from tasks.release import refreshed_model, serves
from tasks.running.work import StageWork

log = logging.getLogger(__name__)


def gate(work: StageWork) -> Facts:
    """Compare what is to be released with the release that serves.

    The recall of the index needs no look here: the stage index stops where `index.target_recall` is not reached.

    Returns:
        the release compared with, the churn and its limit, the recall, the pins that came and went, and the reason.

    Raises:
        InputError: more of the related pins changed than `refresh.max_churn` allows.
        ArtifactMissingError: nothing serves that it could be compared with.
    """
    store, limit = open_store(work.home), work.settings.refresh.max_churn
    releases, model = Releases(store), refreshed_model(store, store.runs.open(work.run_id))
    version = releases.current().version
    if not serves(releases, model):
        # A training came to its end meanwhile: no fault of the tables, and its release is newer than this refresh.
        return {"compared_with": version, "reason": f"{model} does not serve any more."}
    serving, candidate = releases.open(version), Candidate(work.inputs)
    kept = kept_neighbors(serving, candidate)
    churn = 1.0 if kept is None else 1 - kept  # None: no pins in common
    changed = f"{churn:.1%} of the first ten related pins changed since {version}"
    if churn > limit:
        raise InputError(
            f"{changed}, more than refresh.max_churn {limit:.1%}: nothing is released, {version} goes on serving. "
            "Look whether the tables are whole; if they are, raise refresh.max_churn or train again."
        )
    log.info("gate: %s", changed)
    before, now = serving.pin_ids.array, candidate.pin_ids.array
    num_common = pc.sum(pc.is_in(now, before)).as_py() or 0
    return {
        "compared_with": version,
        "churn": round(churn, 4),
        "max_churn": limit,
        "recall_at_10": Manifest.read(work.inputs["index"]).facts.get("recall_at_10"),
        "pins_added": len(now) - num_common,
        "pins_removed": len(before) - num_common,
        "reason": f"Refresh: {changed}, where {limit:.1%} may.",
    }
