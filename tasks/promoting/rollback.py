"""Back to an earlier champion: recorded as a decision, in MLflow, and by the release that serves."""

from dataclasses import dataclass
from pathlib import Path

from pinsage.errors import ArtifactMissingError, InputError
from pinsage.promotion.decisions import Decision
from pinsage.release.contents import ModelVersion
from pinsage.release.releases import Releases
from pinsage.store.deployment import open_store
from pinsage.tracking.registry import Registry
from tasks.promoting.record import follow, open_decisions


@dataclass(frozen=True)
class RolledBack:
    """The decision, and the release that CURRENT names now; empty where CURRENT was left as it was."""

    decision: Decision
    release: str


def roll_back(model: ModelVersion, registry: Registry, home: Path, *, reason: str, by: str) -> RolledBack:
    """Make an earlier version champion again, and let its newest release serve.

    The release moves only where CURRENT names one of the same registered model: a store may serve another data set.

    Raises:
        InputError: there is no such version, or it is the champion.
        DecisionMovedError: another host decided in the meantime.
        ArtifactDamagedError: its release is not what was published; it is champion, and CURRENT stays.
        TrackingError: MLflow does not answer or refuses.
    """
    with registry.server.one_at_a_time():
        decisions = open_decisions(home)
        history = decisions.history(model.name)  # before the champion: one that is decided on since is noticed
        version, champion = registry.version(model.number), registry.champion()
        if version is None:
            raise InputError(
                f"{model.name} has no version {model.number}. `pinsage champion history` shows what it had."
            )
        if champion and champion.number == model.number:
            raise InputError(f"{model} is the champion already. Name the version to go back to.")
        before = champion.number if champion else None
        decision = Decision("rollback", model.name, model.number, before, reason, by)
        decision = follow(decisions.record(decision, history), version, registry, decisions)
    return RolledBack(decision, _serve(model, before, Releases(open_store(home))))


def _serve(model: ModelVersion, before: int | None, releases: Releases) -> str:
    version = releases.find(model)
    try:
        served = releases.manifest(releases.current().version).facts
    except ArtifactMissingError:  # nothing serves
        return ""
    if version is None or before is None or not ModelVersion(model.name, before).made(served):
        return ""
    return releases.roll_back(version).version
