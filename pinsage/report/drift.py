"""The page's section on drift: each measure with its limit, and a line over the last days of the data set."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from pinsage.drift.measures import Measure
from pinsage.drift.table import DAYS, HISTORY, read_measures
from pinsage.store.manifest import Manifest

LINE_WIDTH, LINE_HEIGHT = 132, 26  # units of a line's view box
_MARGIN = 3


@dataclass(frozen=True)
class DriftRow:
    """A measure as the page shows it; `points` of its line are `x,y x,y ...`, empty with less than two days."""

    measure: Measure
    today: str
    change: str
    champion_change: str
    limit: str
    points: str

    @property
    def verdict_class(self) -> str:
        """The style of the row: `unusual` beyond a limit."""
        return "unusual" if self.measure.verdict in ("warning", "stop") else ""


@dataclass(frozen=True)
class Drift:
    """The section: a headline in words, sentences on runs that were not compared with, and the measures."""

    headline: str
    notes: list[str]
    rows: list[DriftRow]
    days: int

    @property
    def has_unusual(self) -> bool:
        """True if a measure is beyond a limit."""
        return any(row.verdict_class for row in self.rows)


def drift(folder: Path) -> Drift:
    """The section, from the artifact of compare_days."""
    facts, lines = Manifest.read(folder).facts, _lines(folder)
    measures = read_measures(folder)
    notes = [str(facts[name]) for name in ("without_before", "without_champion") if facts.get(name)]
    rows = [_row(measure, lines.get(measure.name, [])) for measure in measures]
    return Drift(_headline(measures), notes, rows, max((len(line) for line in lines.values()), default=0))


def _headline(measures: list[Measure]) -> str:
    compared = sum(each.verdict != "not compared" for each in measures)
    stops, warnings = (sum(each.verdict == verdict for each in measures) for verdict in ("stop", "warning"))
    if not compared:
        return "Nothing to compare with yet: the next run on other data will be compared with this one."
    if stops or warnings:
        counts = ((stops, "stops"), (warnings, "warns"))
        told = " and ".join(f"{count} beyond a limit that {what}" for count, what in counts if count)
        return f"Of {compared} measures, {told}."
    return f"All {compared} measures are within their limits."


def _row(measure: Measure, line: list[float]) -> DriftRow:
    is_count = measure.today is not None and measure.name in ("pins", "boards", "saves")
    today = "" if measure.today is None else f"{measure.today:,.0f}" if is_count else f"{measure.today:.2%}"
    limits = [f"{word} {limit:g}" for word, limit in (("warn", measure.warn), ("stop", measure.stop)) if limit]
    change, champion_change = _figure(measure.change), _figure(measure.champion_change)
    return DriftRow(measure, today, change, champion_change, ", ".join(limits) or "–", _points(line))


def _figure(change: float | None) -> str:
    return "–" if change is None else f"{change:+.4f}"


def _points(line: list[float]) -> str:
    """The line in its view box: the lowest value at the bottom, the highest at the top, a flat one in the middle."""
    if len(line) < 2:
        return ""
    low, high, step = min(line), max(line), (LINE_WIDTH - 2 * _MARGIN) / (len(line) - 1)
    room = LINE_HEIGHT - 2 * _MARGIN
    heights = [(value - low) / (high - low) if high > low else 0.5 for value in line]
    return " ".join(
        f"{_MARGIN + step * place:.1f},{LINE_HEIGHT - _MARGIN - room * height:.1f}"
        for place, height in enumerate(heights)
    )


def _lines(folder: Path) -> dict[str, list[float]]:
    """The figures of the last DAYS days by measure, today's last."""
    found: dict[str, list[float]] = defaultdict(list)
    for row in pq.read_table(folder / HISTORY).sort_by("day").to_pylist():
        found[row["name"]].append(row["value"])
    return {name: line[-DAYS:] for name, line in found.items()}
