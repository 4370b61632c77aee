"""The measures of drift: each a change with its limits, a verdict and a sentence.

A day is unusual if it is unlike the run before it and unlike the champion's. Beside the run before alone, the day on
which an error is corrected would be as unusual as the day of the error; beside the champion's alone, a change that is
there to stay would be told every day until a new model takes its place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pinsage.drift.changes import QUARANTINE
from pinsage.settings.live import DriftSettings

Verdict = Literal["steady", "warning", "stop", "not compared"]
_ORDER: tuple[Verdict, ...] = ("steady", "warning", "stop")

# What each measure is called, and which settings, drift.warn_<kind> and drift.stop_<kind>, hold its limits.
_NAMED = {
    "pins": ("pins", "fall"),
    "boards": ("boards", "fall"),
    "saves": ("saves", "fall"),
    "pictures": ("pins with a readable picture", "coverage"),
    "words": ("pins with known words", "coverage"),
    "vocabulary": ("words in use that were unknown", "unknown_words"),
    "degrees": ("distribution of saves per pin", "psi"),
    "word_use": ("distribution of words", "psi"),
    "looks": ("distribution of pictures", "psi"),
    "embeddings": ("centers of groups of pins", "embeddings"),
    "churn": ("first ten related pins that changed", "churn"),
}
_FALLS = ("fall", "coverage")  # the bad direction is down


@dataclass(frozen=True)
class Limits:
    """The limits of a change; 0 stands for none.

    Attributes:
        kind: what changes, as the settings name it.
        warn, stop: how far it may change in the bad direction.
        warn_other: how far in the other direction.
    """

    kind: str
    warn: float
    stop: float
    warn_other: float = 0.0

    def verdict(self, change: float) -> Verdict:
        """The verdict on one change."""
        bad = -change if self.kind in _FALLS else change
        if self.stop and bad > self.stop:
            return "stop"
        is_unusual = (self.warn and bad > self.warn) or (self.warn_other and -bad > self.warn_other)
        return "warning" if is_unusual else "steady"


@dataclass(frozen=True)
class Measure:
    """One measure of drift.

    Attributes:
        name: what is measured, as MLflow has it below `drift/`.
        today: the figure of today by itself; None where only a change can be told.
        change: since the run before; None where there is nothing to compare with.
        champion_change: since the champion's run; the same.
        warn, stop: the limits; 0 where there is none.
        verdict: the milder one of the two changes.
        sentence: the values and the limit in words.
    """

    name: str
    today: float | None
    change: float | None
    champion_change: float | None
    warn: float
    stop: float
    verdict: Verdict
    sentence: str


def assess(
    today: Mapping[str, float], before: Mapping[str, float], champion: Mapping[str, float], settings: DriftSettings
) -> list[Measure]:
    """The measures of a run: the named ones, then the rows that were refused, by reason.

    Args:
        today: figures of today, by name.
        before, champion: changes since the run before and since the champion's, by name; empty without such a run.
        settings: the limits.
    """
    names = [*_NAMED, *sorted(name for name in {**today, **before, **champion} if name.startswith(QUARANTINE))]
    return [_measure(name, today.get(name), (before.get(name), champion.get(name)), settings) for name in names]


def worst(measures: Sequence[Measure]) -> Verdict:
    """The worst verdict of all; `not compared` where nothing was."""
    found = [_ORDER.index(each.verdict) for each in measures if each.verdict != "not compared"]
    return _ORDER[max(found)] if found else "not compared"


def unusual(measures: Sequence[Measure], *verdicts: Verdict) -> list[str]:
    """The names and sentences of the measures with one of the verdicts."""
    return [f"{each.name}: {each.sentence}" for each in measures if each.verdict in verdicts]


def _measure(
    name: str, today: float | None, changes: tuple[float | None, float | None], settings: DriftSettings
) -> Measure:
    title, kind = _NAMED.get(name, (f"rows refused ({name.removeprefix(QUARANTINE)})", "quarantine"))
    other = settings.warn_growth if kind == "fall" else 0.0
    limits = Limits(kind, getattr(settings, f"warn_{kind}"), getattr(settings, f"stop_{kind}", 0.0), other)
    found = [limits.verdict(change) for change in changes if change is not None]
    # The milder one: unusual is what is unlike both runs.
    verdict = min(found, key=_ORDER.index) if found else "not compared"
    sentence = _sentence(title, kind, today, changes) + _limit(limits, verdict, changes)
    return Measure(name, today, *changes, limits.warn, limits.stop, verdict, sentence)


def _sentence(title: str, kind: str, today: float | None, changes: tuple[float | None, float | None]) -> str:
    level = "" if today is None else f" {today:,.0f}" if kind == "fall" else f" {today:.2%}"
    runs = zip(changes, ("the run before", "the champion's run"), strict=True)
    told = [f"{_change(kind, change)} since {run}" for change, run in runs if change is not None]
    return f"{title[0].upper()}{title[1:]}{level}: {' and '.join(told) or 'nothing to compare with'}"


def _limit(limits: Limits, verdict: Verdict, changes: tuple[float | None, float | None]) -> str:
    """The limit that was passed, with its setting."""
    if verdict not in ("warning", "stop"):
        return "."
    grew = limits.warn_other and max(change for change in changes if change is not None) > limits.warn_other
    name = f"{'stop' if verdict == 'stop' else 'warn'}_{'growth' if grew else limits.kind}"
    limit = limits.warn_other if grew else limits.stop if verdict == "stop" else limits.warn
    return f", where {_size(limits.kind, limit)} may be (drift.{name})."


def _change(kind: str, change: float) -> str:
    sign = "+" if change > 0 and kind in ("fall", "coverage", "quarantine") else ""
    return f"{'PSI ' if kind == 'psi' else ''}{sign}{_size(kind, change)}"


def _size(kind: str, value: float) -> str:
    """A change or a limit in the unit of its kind."""
    if kind in ("coverage", "quarantine"):
        return f"{round(100 * value, 2):g} points"
    if kind in ("fall", "churn", "unknown_words"):
        return f"{round(100 * value, 1):g} %"
    return f"{value:.3f}"
