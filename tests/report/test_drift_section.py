"""The report's section on drift: a headline, the measures with their limits, and a line over the last days."""

from pathlib import Path

import pytest

from pinsage.drift.measures import assess
from pinsage.drift.table import write_history, write_measures
from pinsage.report.drift import LINE_HEIGHT, LINE_WIDTH, drift
from pinsage.settings.live import DriftSettings
from pinsage.store.artifact import FolderArtifacts
from pinsage.store.manifest import Manifest


def publish(root: Path, name: str, pins: float, change: float | None, before: Path | None = None) -> Path:
    """The folder of a day with so many pins."""
    changes = {} if change is None else {"pins": change}
    measures, store = assess({"pins": pins}, changes, changes, DriftSettings()), FolderArtifacts(root)
    with store.publish(Manifest("compare_days", name, 1, {}, {}, {}, "test")) as draft:
        draft.facts.update({"without_before": "" if changes else "There is no run before to compare with."})
        write_measures(draft.folder, measures)
        write_history(draft.folder, measures, "2026-06-01", before)
    return store.folder("compare_days", name)


def test_a_first_day_says_that_there_is_nothing_to_compare_with(tmp_path):
    """No line of one point, no alarm."""
    section = drift(publish(tmp_path, "one", 100, None))
    assert section.headline.startswith("Nothing to compare with yet")
    assert section.notes == ["There is no run before to compare with."]
    assert (section.rows[0].points, section.has_unusual) == ("", False)


@pytest.mark.parametrize(
    ("change", "headline"),
    [
        (-0.01, "All 1 measures are within their limits."),
        (-0.1, "Of 1 measures, 1 beyond a limit that warns."),
        (-0.9, "Of 1 measures, 1 beyond a limit that stops."),
    ],
)
def test_the_headline_counts_what_is_beyond_a_limit(tmp_path, change, headline):
    """And the row is marked."""
    section = drift(publish(tmp_path, "two", 100 * (1 + change), change))
    assert section.headline == headline
    assert section.has_unusual == (change < -0.05)


def test_the_line_runs_from_left_to_right_and_inside_its_box(tmp_path):
    """The most pins are at the top, the fewest at the bottom; today is last."""
    folder = publish(tmp_path, "day-0", 100, None)
    for day, pins in enumerate((150, 120), 1):
        folder = publish(tmp_path, f"day-{day}", pins, 0.01, folder)
    points = [tuple(map(float, point.split(","))) for point in drift(folder).rows[0].points.split()]
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert points[1][1] < points[2][1] < points[0][1]
    assert all(0 <= x <= LINE_WIDTH and 0 <= y <= LINE_HEIGHT for x, y in points)


def test_the_line_keeps_thirty_days(tmp_path):
    """Of forty days the last thirty."""
    folder = publish(tmp_path, "day-0", 100, None)
    for day in range(1, 40):
        folder = publish(tmp_path, f"day-{day}", 100 + day, 0.01, folder)
    section = drift(folder)
    assert (section.days, len(section.rows[0].points.split())) == (30, 30)
