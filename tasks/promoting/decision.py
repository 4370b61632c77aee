"""The decision on a registered version, or a rollback: recorded in the store and in MLflow, then the alias moves."""

from pathlib import Path

from pinsage.promotion.checks import Check, withdrawn_check
from pinsage.promotion.decisions import DECISIONS, Decision, Decisions, withdrawals
from pinsage.promotion.figures import Figures
from pinsage.promotion.verdict import decide, decision_tags
from pinsage.release.contents import ModelVersion
from pinsage.store.deployment import open_store
from pinsage.tracking.registry import CHAMPION, Registry, Version
from tasks.promoting.evidence import Evidence
from tasks.running.work import StageWork


def open_decisions(home: Path) -> Decisions:
    """The decisions of the deployment whose host has the data folder `home`."""
    return Decisions(open_store(home).bucket(DECISIONS))


def decide_on(version: Version, registry: Registry, figures: Figures, work: StageWork) -> Decision:
    """Check a version against the champion, record the decision, and let the alias follow it.

    Raises:
        PinSageError: the champion could not be scored again, for a reason that may pass.
        TrackingError: MLflow does not answer or refuses.
    """
    evidence = Evidence(work, registry.model_name, figures)
    while True:
        champion = registry.champion()
        if champion and champion.number == version.number:
            reason = f"Version {version.number} is the champion already."
            return Decision("promoted", registry.model_name, version.number, champion.number, reason)
        checks = evidence.checks(champion)  # before the lock, which other runs wait for
        with registry.server.one_at_a_time():
            # Another run may have promoted its model meanwhile: then the checks were against the wrong champion.
            if _number(registry.champion()) == _number(champion):
                return _conclude(version, champion, checks, registry, work)


def _conclude(
    version: Version, champion: Version | None, checks: list[Check], registry: Registry, work: StageWork
) -> Decision:
    challenger, decisions = ModelVersion(registry.model_name, version.number), open_decisions(work.home)
    if taken_back := withdrawals(decisions.history(challenger.name)).get(version.number):
        checks = [*checks, withdrawn_check(taken_back.reason)]
    override = work.settings.promote.override_reason.strip()
    found = decide(challenger, _number(champion), checks, by=f"run {work.run_id}", override_reason=override)
    return follow(decisions.record(found), version, registry)


def follow(decision: Decision, version: Version, registry: Registry) -> Decision:
    """Write a recorded decision to MLflow, and let the alias `champion` follow it."""
    # First the reason, then the alias: whoever sees a new champion can read why.
    registry.tag(version, decision_tags(decision))
    if decision.promotes:
        registry.point(CHAMPION, version)
    return decision


def _number(version: Version | None) -> int | None:
    return version.number if version else None
