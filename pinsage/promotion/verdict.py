"""The verdict on a challenger: from its checks, and the answer of a person, to a decision with a reason in words."""

from collections.abc import Sequence
from dataclasses import replace

from pinsage.promotion.checks import Check
from pinsage.promotion.decisions import Decision, Kind
from pinsage.release.contents import ModelVersion

MOST_SHOWN = 3  # failed checks whose sentences stand in the reason; the decision holds all of them
CHECK_TAG, KIND_TAG, DECISION_TAG = "pinsage.check.", "pinsage.decision_kind", "pinsage.decision"
BY_TAG = "pinsage.decision_by"


def decide(
    challenger: ModelVersion,
    champion: int | None,
    checks: Sequence[Check],
    *,
    by: str = "",
    override_reason: str = "",
    needs_approval: bool = False,
) -> Decision:
    """The decision that checks lead to: all of them must pass, unless somebody overrides them with a reason.

    Args:
        challenger: the version that was checked.
        champion: the number of the version it was checked against; None if there is none.
        checks: of the challenger.
        by: the run that decides.
        override_reason: empty if nobody overrides.
        needs_approval: whether a person is asked before a version that passes becomes champion.
    """
    failed = [check for check in checks if not check.passed]
    opponent = "There was no champion" if champion is None else f"Against champion {champion}"
    kind: Kind
    if not failed:
        kind, reason = "promoted", f"{opponent}, all {len(checks)} checks passed.{_first(checks)}"
        word = "Promoted."
    elif override_reason:
        kind, reason = "override", f"because: {override_reason.rstrip('.')}. {_in_words(failed, checks)}"
        word = "Promoted by an override,"
    else:
        kind, reason, word = "refused", f"{opponent}, {_in_words(failed, checks)}", "Not promoted."
    if needs_approval and kind != "refused":
        word = "Waits for an approval." if kind == "promoted" else "Waits for an approval: an override is asked for,"
        kind = "waiting"
    return Decision(kind, challenger.name, challenger.number, champion, f"{word} {reason}", by, tuple(checks))


def answer_to(waiting: Decision, *, approves: bool, by: str, note: str = "") -> Decision:
    """The decision that a person's answer leads to, with the checks that the question showed.

    Args:
        waiting: the decision that asks.
        approves: the answer.
        by: who gave it; empty if nobody did in time.
        note: the words of that person; empty if there are none.
    """
    kind: Kind = "approved" if approves else "rejected"
    reason = f"{kind.capitalize()} by {by}." if by else "Rejected: nobody answered in time."
    words = f" {note.strip().rstrip('.')}." if note.strip() else ""
    return replace(waiting, kind=kind, reason=f"{reason}{words}", by=by, at="")


def decision_tags(decision: Decision) -> dict[str, str]:
    """The decision as tags of a version: kind, reason, who took it, and each check with its verdict and sentence."""
    tags = {KIND_TAG: decision.kind, DECISION_TAG: decision.reason, BY_TAG: decision.by or "nobody"}
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
