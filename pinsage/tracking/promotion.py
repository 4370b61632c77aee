"""The decision whether a challenger becomes champion, and its reason."""

from collections.abc import Mapping
from dataclasses import dataclass

from pinsage.tracking.registry import Version

SCORE_TAG = "pinsage.validation."
DATA_TAG = "pinsage.data_key"


@dataclass(frozen=True)
class Decision:
    """A decision on the champion: yes or no, and a sentence with both values."""

    promoted: bool
    reason: str


def score_tags(scores: Mapping[str, float], *, data_key: str) -> dict[str, str]:
    """The tags by which a version is compared later: its validation metrics and the data they were measured on."""
    return {DATA_TAG: data_key, **{f"{SCORE_TAG}{name}": repr(value) for name, value in scores.items()}}


def decide(challenger: Version, champion: Version | None, *, metric: str, min_gain: float) -> Decision:
    """The decision by one validation metric.

    The challenger must gain `min_gain`, and be strictly better unless `min_gain` allows a loss.

    Args:
        challenger: with the tags of `score_tags`.
        champion: the version to beat; None if there is none yet.
        metric: which score decides.
        min_gain: least difference, in the metric's unit.
    """
    if champion is None:
        return Decision(True, f"First version: there was no champion. Its {metric} is {_format(challenger, metric)}.")
    if champion.number == challenger.number:
        return Decision(True, f"Version {champion.number} is the champion already.")
    ours, theirs = _score(challenger, metric), _score(champion, metric)
    if ours is None or theirs is None:
        return Decision(False, f"{metric} on validation is {ours} against {theirs}: nothing to compare by.")
    gain = ours - theirs
    promoted = gain >= min_gain and (gain > 0 or min_gain < 0)
    outcome = "promoted" if promoted else "not promoted"
    return Decision(
        promoted,
        f"{metric} on validation is {ours:.4f} against {theirs:.4f} of champion {champion.number}: "
        f"a gain of {gain:+.4f} where {min_gain:+.4f} is asked for, {outcome}.{_other_data(challenger, champion)}",
    )


def _score(version: Version, metric: str) -> float | None:
    text = version.tags.get(f"{SCORE_TAG}{metric}")
    return float(text) if text is not None else None


def _format(version: Version, metric: str) -> str:
    score = _score(version, metric)
    return "unknown" if score is None else f"{score:.4f}"


def _other_data(challenger: Version, champion: Version) -> str:
    ours, theirs = challenger.tags.get(DATA_TAG, "?"), champion.tags.get(DATA_TAG, "?")
    return f" The champion was measured on other data ({theirs}; this is {ours})." if ours != theirs else ""
