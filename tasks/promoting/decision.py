"""The decision on a registered version by its checks, or that a person decides: recorded, then the alias moves."""

from collections.abc import Sequence

from pinsage.promotion.checks import Check, withdrawn_check
from pinsage.promotion.decisions import Decision, withdrawals
from pinsage.promotion.figures import Figures
from pinsage.promotion.verdict import decide
from pinsage.release.contents import ModelVersion
from pinsage.tracking.registry import Registry, Version
from tasks.promoting.evidence import Evidence
from tasks.promoting.record import follow, open_decisions
from tasks.running.work import StageWork


def decide_on(version: Version, registry: Registry, figures: Figures, work: StageWork) -> Decision:
    """Check a version against the champion, record the decision, and let the alias follow it.

    With `promote.require_approval` a version that passes waits for a person; see `tasks.promoting.approval`.

    Raises:
        PinSageError: the champion could not be scored again, for a reason that may pass.
        DecisionMovedError: another host decided in the meantime.
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
            history = open_decisions(work.home).history(registry.model_name)
            # Another run may have promoted its model meanwhile: then the checks were against the wrong champion.
            if _number(registry.champion()) == _number(champion):
                return _conclude(version, champion, checks, registry, work, history)


def _conclude(
    version: Version,
    champion: Version | None,
    checks: list[Check],
    registry: Registry,
    work: StageWork,
    history: Sequence[Decision],
) -> Decision:
    challenger, decisions = ModelVersion(registry.model_name, version.number), open_decisions(work.home)
    if taken_back := withdrawals(history).get(version.number):
        checks = [*checks, withdrawn_check(taken_back.reason, is_rollback=taken_back.kind == "rollback")]
    limits = work.settings.promote
    found = decide(
        challenger,
        _number(champion),
        checks,
        by=f"run {work.run_id}",
        override_reason=limits.override_reason.strip(),
        needs_approval=limits.require_approval,
    )
    return follow(decisions.record(found, history), version, registry, decisions)


def _number(version: Version | None) -> int | None:
    return version.number if version else None
