"""The earlier runs that a run is compared with: the one before it on its data set, and the champion's.

Both are named by the artifact of their stage compare_days, so that a run done again over the same data is compared with
the same runs and makes nothing anew.
"""

from collections.abc import Iterator
from contextlib import suppress

from pinsage.errors import ArtifactMissingError
from pinsage.promotion.decisions import DECISIONS, Decisions
from pinsage.store.deployment import Store
from pinsage.store.run import Run
from pinsage.tracking.names import registered_model

STAGE = "compare_days"
BEFORE, CHAMPION = "before", "champion"


def former_runs(run: Run, store: Store) -> dict[str, str]:
    """The keys of compare_days in the run before (BEFORE) and in the champion's (CHAMPION); empty where there is none.

    Runs whose index is this run's are passed over: they are this run, done before. So are runs of comparisons, whose
    settings differ on purpose.
    """
    earlier = list(_earlier(run, store))
    champion = _champion_run(earlier, run, store)
    return {
        BEFORE: earlier[0].result(STAGE).key if earlier else "",
        CHAMPION: champion.result(STAGE).key if champion else "",
    }


def _earlier(run: Run, store: Store) -> Iterator[Run]:
    """The earlier runs on the same data set that came as far as compare_days with another index, the newest first."""
    model, index = registered_model(run.settings), run.result("index").key
    for other in store.runs.all()[0]:
        if other.started_at > run.started_at or other.run_id == run.run_id or "variant" in other.origin:
            continue
        if registered_model(other.settings) == model and _key(other, STAGE) and _key(other, "index") not in ("", index):
            yield other


def _champion_run(earlier: list[Run], run: Run, store: Store) -> Run | None:
    """The run that made the newest champion which is not this run's own."""
    model = registered_model(run.settings)
    by_version: dict[int, Run] = {}
    for other in reversed(earlier):  # of several runs over the same artifacts the newest
        with suppress(ArtifactMissingError):
            by_version[int(other.result("promote").facts["model_version"] or 0)] = other
    versions = [each.version for each in Decisions(store.bucket(DECISIONS)).history(model) if each.promotes]
    return next((by_version[version] for version in reversed(versions) if version in by_version), None)


def _key(run: Run, stage: str) -> str:
    """The key of a stage's artifact; empty if the stage has not ended."""
    try:
        return run.result(stage).key
    except ArtifactMissingError:
        return ""
