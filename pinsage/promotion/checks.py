"""The checks that a challenger must pass to become champion: each with a value, a limit, a verdict and a sentence.

Pure functions of figures that were measured elsewhere. What cannot be compared (there is no champion, or it has no such
figure) passes, and its sentence says so.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pinsage.evaluation.gains import Gain

CATALOG = ("pins", "saves", "pictures", "words")


@dataclass(frozen=True)
class Check:
    """One check of a challenger.

    Attributes:
        name: what is checked.
        passed: the verdict.
        sentence: the value and the limit in words.
        value: the figure; None where there is none.
        limit: what the value is compared with; None where it was not compared.
        theirs: the champion's own figure on the data of today; None where it was not measured.
    """

    name: str
    passed: bool
    sentence: str
    value: float | None = None
    limit: float | None = None
    theirs: float | None = None


def not_compared(name: str, reason: str) -> Check:
    """A check that passes because there is nothing to compare with."""
    return Check(name, True, f"Not compared: {reason}.")


def gain_check(name: str, gain: "Gain", least: float, against: str) -> Check:
    """The hit rate against that of the champion on the same queries.

    At a limit of 0 or below, noise is forgiven: the upper end of the gain's interval must reach it. A limit above 0
    asks for a gain, and the gain itself must reach it.

    Args:
        name: of the check.
        gain: over the champion.
        least: the gain that is asked for.
        against: the champion, and how its figure was come by.
    """
    passed = (gain.value if least > 0 else gain.high) >= least
    sentence = (
        f"The hit rate on {gain.pairs:,} validation pairs is {gain.ours:.4f} against {gain.theirs:.4f} of {against}: "
        f"a gain of {gain.value:+.4f} (95 % interval {gain.low:+.4f} to {gain.high:+.4f}), where {least:+.4f} is asked "
        "for."
    )
    return Check(name, passed, sentence, gain.value, least, gain.theirs)


def recorded_gain_check(name: str, ours: float | None, theirs: float | None, least: float, why: str) -> Check:
    """The hit rate against the one that the champion had when it was trained, since it could not be scored again.

    Args:
        name: of the check.
        ours, theirs: the hit rates; None where there is none.
        least: the gain that is asked for; without common queries there is no interval to forgive noise.
        why: the champion was not scored again.
    """
    if ours is None or theirs is None:
        return not_compared(name, f"{why}, and one of the two has no recorded figure")
    gain = ours - theirs
    sentence = (
        f"The hit rate on validation is {ours:.4f} against {theirs:.4f} that the champion had when it was trained: "
        f"a gain of {gain:+.4f}, where {least:+.4f} is asked for. {why}."
    )
    return Check(name, gain >= least, sentence, gain, least)


def recall_check(recall: float | None, least: float) -> Check:
    """The recall of the index against exact search."""
    if recall is None:
        return not_compared("index_recall", "the index has no measured recall")
    sentence = f"The index finds {recall:.4f} of what exact search finds, where {least:g} is asked for."
    return Check("index_recall", recall >= least, sentence, recall, least)


def churn_check(churn: float | None, most: float) -> Check:
    """The share of the first ten related pins that are not those of the champion, pins weighted by their saves."""
    if churn is None:
        return not_compared("churn", "the two models have no pins in common")
    sentence = f"{churn:.1%} of the first ten related pins differ from the champion's, where {most:.1%} may."
    return Check("churn", churn <= most, sentence, churn, most)


def finite_check(num_bad: int, num_pins: int) -> Check:
    """The embeddings that are no directions: not finite."""
    sentence = f"{num_bad:,} of {num_pins:,} embeddings are not finite, where none may be."
    return Check("finite", num_bad == 0, sentence, float(num_bad), 0.0)


def spread_check(spread: float, least: float) -> Check:
    """The spread of the embeddings: 1 less the mean cosine of random pairs of pins."""
    sentence = f"Embeddings spread by {spread:.3f} (0: all are one direction), where {least:g} is asked for."
    return Check("spread", spread >= least, sentence, spread, least)


def catalog_checks(now: Mapping[str, int], before: Mapping[str, int], least: float) -> list[Check]:
    """The counts of the catalog against those of the champion's training: a shrunken export is found here.

    Args:
        now, before: counts by the names of CATALOG; a name may be missing.
        least: the share of the count before that must be there.
    """
    return [_catalog_check(name, now.get(name), before.get(name), least) for name in CATALOG]


def _catalog_check(name: str, now: int | None, before: int | None, least: float) -> Check:
    if now is None or not before:
        return not_compared(name, "the champion has none, or their number is not recorded")
    share = now / before
    words = {"pictures": "pins with a picture", "words": "pins with words"}.get(name, name)
    sentence = f"There are {now:,} {words}, {share:.1%} of the champion's {before:,}, where {least:.1%} is asked for."
    return Check(name, share >= least, sentence, share, least)


def canary_check(num_asked: int, failures: Iterable[str]) -> Check:
    """The owner's own expectations of which pins go together."""
    found = list(failures)
    sentence = f"{num_asked - len(found):,} of {num_asked:,} canaries hold, where all must."
    shown = " ".join(found[:3])
    more = f" And {len(found) - 3:,} more." if len(found) > 3 else ""
    return Check("canaries", not found, f"{sentence} {shown}{more}".strip(), float(len(found)), 0.0)


def withdrawn_check(reason: str, *, is_rollback: bool) -> Check:
    """A version that a rollback took back, or that a person rejected, does not return by itself."""
    return Check("withdrawn", False, f"A rollback took this version back: {reason}" if is_rollback else reason)
