"""The pace is that of lately, and says so when nothing moves."""

import pytest

from pinsage.progress import WINDOW_S, Pace, Progress


def pace_of(steps):
    """A pace after parts of so many units, each so many seconds after the last; and the time then."""
    now, done, pace = 0.0, 0, Pace(0.0)
    for units, seconds in steps:
        now, done = now + seconds, done + units
        pace.mark(done, now)
    return pace, now


def test_an_even_pace_is_found():
    """Ten units every two seconds."""
    pace, now = pace_of([(10, 2.0)] * 40)
    assert pace.per_second(now) == pytest.approx(5.0)


@pytest.mark.parametrize("seconds", [0.5, 4.0])
def test_workers_that_come_or_go_show_within_the_window(seconds):
    """The same parts at another pace: after half a minute the old one is forgotten."""
    pace, now = pace_of([(10, 2.0)] * 40 + [(10, seconds)] * round(2 * WINDOW_S / seconds))
    assert pace.per_second(now) == pytest.approx(10 / seconds)


def test_a_stall_lowers_the_pace():
    """A minute in which nothing gets done is part of the window."""
    pace, now = pace_of([(10, 2.0)] * 40)
    assert pace.per_second(now + 60) < 0.4 * pace.per_second(now)


def test_parts_longer_than_the_window_have_a_pace_too():
    """Each takes two minutes; one just came in, or none for a minute."""
    pace, now = pace_of([(1000, 120.0)] * 30)
    assert pace.per_second(now) == pytest.approx(1000 / 120)
    assert pace.per_second(now + 60) == pytest.approx(1000 / 120, rel=0.05)


def test_before_the_first_part_nothing_is_known():
    """No division by zero either."""
    assert Pace(5.0).per_second(5.0) == 0


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        (
            Progress("walk", "pins", 1_200_000, 10_000_000, 85_000.0, 103.2),
            "walk: 1,200,000 of 10,000,000 pins (12 %), 85,000 pins/s, 103 s left",
        ),
        (Progress("embed", "parts", 0, 8, 0.0, None), "embed: 0 of 8 parts (0 %), 0 parts/s, stalled"),
        (Progress("embed", "parts", 3, 8, 0.123, 40.6), "embed: 3 of 8 parts (38 %), 0.12 parts/s, 41 s left"),
    ],
)
def test_a_line_says_how_far_how_fast_and_how_long(progress, line):
    """As it stands in the task's log."""
    assert str(progress) == line
