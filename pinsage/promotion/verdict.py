"""The verdict on a challenger: from its checks to a decision with a reason in words."""

from collections.abc import Sequence

from pinsage.promotion.checks import Check
from pinsage.promotion.decisions import Decision, Kind
from pinsage.release.contents import ModelVersion

MOST_SHOWN = 3  # failed checks whose sentences stand in the reason; the decision holds all of them
CHECK_TAG, KIND_TAG, DECISION_TAG = "pinsage.check.", "pinsage.decision_kind", "pinsage.decision"


def decide(
    challenger: ModelVersion, champion: int | None, checks: Sequence[Check], *, by: str = "", override_reason: str = ""
) -> Decision:
    """The decision that checks lead to: all of them must pass, unless somebody overrides them with a reason.

    Args:
        challenger: the version that was checked.
        champion: the number of the version it was checked against; None if there is none.
        checks: of the challenger.
        by: the run that decides.
        override_reason: empty if nobody overrides.
    """
    failed = [check for check in checks if not check.passed]
    opponent = "There was no champion" if champion is None else f"Against champion {champion}"
    kind: Kind
    if not failed:
        kind, reason = "promoted", f"Promoted. {opponent}, all {len(checks)} checks passed.{_first(checks)}"
    elif override_reason:
        kind = "override"
        reason = f"Promoted by an override, because: {override_reason.rstrip('.')}. {_in_words(failed, checks)}"
    else:
        kind, reason = "refused", f"Not promoted. {opponent}, {_in_words(failed, checks)}"
    return Decision(kind, challenger.name, challenger.number, champion, reason, by, tuple(checks))


def decision_tags(decision: Decision) -> dict[str, str]:
    """The decision as tags of a version: kind, reason, and each check with its verdict and sentence."""
    tags = {KIND_TAG: decision.kind, DECISION_TAG: decision.reason}
    return tags | {f"{CHECK_TAG}{check.name}": f"{_word(check)}: {check.sentence}" for check in decision.checks}


def _first(checks: Sequence[Check]) -> str:
    """The sentence that people look for first: the one on the hit rate."""
    return next((f" {check.sentence}" for check in checks if check.name == "validation"), "")


def _in_words(failed: list[Check], checks: Sequence[Check]) -> str:
    shown = " ".join(f"{check.name}: {check.sentence}" for check in failed[:MOST_SHOWN])
    more = f" And {len(failed) - MOST_SHOWN} more." if len(failed) > MOST_SHOWN else ""
    return f"{len(failed)} of {len(checks)} checks failed. {shown}{more}"


def _word(check: Check) -> str:
    return "passed" if check.passed else "failed"
