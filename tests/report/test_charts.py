"""The geometry of the page's charts."""

import numpy as np
import pytest

from pinsage.report.charts import (
    BOTTOM,
    LEFT,
    MAX_POINTS,
    RIGHT,
    TOP,
    Label,
    bar_chart,
    compact,
    curve,
    histogram,
    moving_average,
    nice_ticks,
)

LABEL = Label("Loss", "0.1 at the end")


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1, [0, 0.25, 0.5, 0.75, 1]),
        (0, 0.13, [0, 0.05, 0.1, 0.15]),
        (0, 300, [0, 100, 200, 300]),
        (0, 7, [0, 2, 4, 6, 8]),
        (0, 0, [0, 0.25]),
    ],
)
def test_ticks_are_round_and_cover_the_range(low, high, ticks):
    """Steps of 1, 2, 2.5 or 5 times a power of ten."""
    assert nice_ticks(low, high) == pytest.approx(ticks)


def test_ticks_of_a_constant_still_span_something():
    """A flat curve must not divide by zero."""
    ticks = nice_ticks(5, 5)
    assert ticks[0] <= 5 <= ticks[-1]
    assert len(ticks) > 1


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.25, "0.25"), (0.00075, "7.5e-4"), (950, "950"), (1500, "1.5k"), (2_000_000, "2M"), (3e9, "3G")],
)
def test_numbers_on_an_axis_are_short(value, text):
    """Four characters or so."""
    assert compact(value) == text


def test_a_curve_runs_from_corner_to_corner():
    """y = x from 0 to 10: the axis ends at 10, so the path ends at the top right."""
    chart = curve(LABEL, [0, 5, 10], [0, 5, 10])
    middle_x, middle_y = (LEFT + RIGHT) / 2, (TOP + BOTTOM) / 2
    assert chart.lines[0].path == f"M{LEFT:.1f} {BOTTOM:.1f}L{middle_x:.1f} {middle_y:.1f}L{RIGHT:.1f} {TOP:.1f}"
    assert len(chart.dots) == 3


def test_a_step_curve_moves_level_then_up():
    """Hard negatives come in steps, not on a slope."""
    chart = curve(LABEL, [0, 10], [0, 2], style="step")
    assert chart.lines[0].path == f"M{LEFT:.1f} {BOTTOM:.1f}H{RIGHT:.1f}V{TOP:.1f}"


def test_a_single_point_is_a_chart():
    """Training for one step."""
    assert curve(LABEL, [1], [0.5], smooth=True).lines


def test_a_long_curve_is_thinned_to_the_means_of_its_runs():
    """A million steps must not make a page of megabytes; 0, 2, 0, 2, … thins to 1, the top."""
    chart = curve(LABEL, np.arange(10 * MAX_POINTS), np.arange(10 * MAX_POINTS) % 2 * 2, smooth=True)
    raw, main = chart.lines
    assert (raw.style, main.style) == ("raw", "main")
    assert raw.path.count("L") == MAX_POINTS - 1
    heights = {point.split(" ")[1] for point in raw.path[1:].split("L")}
    assert heights == {f"{TOP:.1f}"}


def test_the_moving_average_agrees_with_means_over_a_window():
    """Windows are cut at the ends."""
    values = np.random.default_rng(0).normal(size=100) * 100
    expected = [values[max(0, i - 4) : i + 5].mean() for i in range(100)]
    np.testing.assert_allclose(moving_average(values), expected, atol=0.051)


def test_a_histogram_counts_in_powers_of_two():
    """0 | 1 | 2–3 | 4–7 | 8–15, the largest value in the last bar."""
    chart = histogram(LABEL, np.array([0, 0, 1, 2, 3, 7, 8]))
    assert [bar.text for bar in chart.bars] == ["0: 2", "1: 1", "2–3: 2", "4–7: 1", "8–15: 1"]
    assert [bar.height for bar in chart.bars] == [BOTTOM - TOP, (BOTTOM - TOP) / 2] * 2 + [(BOTTOM - TOP) / 2]
    assert [tick.text for tick in chart.x_ticks] == ["0", "1", "2+", "4+", "8+"]


@pytest.mark.parametrize("values", [[], [0, 0]])
def test_a_histogram_of_nothing_is_a_chart(values):
    """No pins, or none with a neighbor."""
    assert histogram(LABEL, np.array(values, np.int64)).y_ticks


def test_bars_stand_on_the_axis_within_the_frame():
    """Every bar ends at the bottom and none sticks out."""
    for bar in bar_chart(LABEL, [str(i) for i in range(30)], list(range(30))).bars:
        assert bar.y + bar.height == pytest.approx(BOTTOM)
        assert bar.y >= TOP
        assert LEFT <= bar.x <= bar.x + bar.width <= RIGHT + 0.1
