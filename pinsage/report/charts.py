"""The geometry of small charts; the page's template draws it as inline SVG.

Coordinates are in the units of a view box of WIDTH × HEIGHT, y downwards, rounded so that the page's bytes are stable.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 320, 196
LEFT, RIGHT, TOP, BOTTOM = 40, 307, 10, 162
MAX_POINTS = 400
Numbers = Sequence[float] | NDArray[np.float64]


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: where, and what is written there."""

    at: float
    text: str


@dataclass(frozen=True)
class Line:
    """A line as an SVG path; `style` names its look in the template: raw, main or step."""

    path: str
    style: str


@dataclass(frozen=True)
class Bar:
    """A bar from the x axis up, and what is said when one points at it."""

    x: float
    y: float
    width: float
    height: float
    text: str


@dataclass(frozen=True)
class Mark:
    """A point of a scatter chart, and what is said when one points at it."""

    x: float
    y: float
    text: str
    is_chosen: bool


@dataclass(frozen=True)
class Chart:
    """A chart ready to draw; `figure` is the one number that a reader in a hurry takes away."""

    title: str
    figure: str
    x_label: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Line, ...] = ()
    bars: tuple[Bar, ...] = ()
    dots: tuple[tuple[float, float], ...] = ()
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Label:
    """The words of a chart."""

    title: str
    figure: str
    x_label: str = "step"


def curve(label: Label, x: Numbers, y: Numbers, *, style: str = "main", smooth: bool = False) -> Chart:
    """A line over x; with `smooth` the points pale and their moving average on top. A few points get dots."""
    xs, ys = _thin(np.asarray(x, np.float64), np.asarray(y, np.float64))
    x_ticks, y_ticks = nice_ticks(min(0.0, xs.min()), xs.max()), nice_ticks(min(0.0, ys.min()), ys.max())
    at_x = _scale(xs, (min(0.0, xs.min()), xs.max()), (LEFT, RIGHT))
    at_y = _scale(ys, (y_ticks[0], y_ticks[-1]), (BOTTOM, TOP))
    lines = [Line(_path(at_x, at_y, style == "step"), style)]
    if smooth and len(xs) > 10:
        lines = [Line(_path(at_x, at_y, False), "raw"), Line(_path(at_x, moving_average(at_y), False), "main")]
    return Chart(
        label.title, label.figure, label.x_label,
        _ticks(x_ticks, (min(0.0, xs.min()), xs.max()), (LEFT, RIGHT)),
        _ticks(y_ticks, (y_ticks[0], y_ticks[-1]), (BOTTOM, TOP)),
        lines=tuple(lines),
        dots=tuple(zip(at_x.tolist(), at_y.tolist(), strict=True)) if len(xs) <= 12 and style == "main" else (),
    )  # fmt: skip


def histogram(label: Label, values: NDArray[np.int64]) -> Chart:
    """Bars for the number of values in 0, 1, 2–3, 4–7, …: degrees span powers of ten."""
    edges = [0, *(2**power for power in range(max(1, int(values.max(initial=1)).bit_length()) + 1))]
    counts = np.histogram(values, edges)[0]
    names = [f"{low}" if high - low == 1 else f"{low}–{high - 1}" for low, high in pairwise(edges)]
    return bar_chart(label, names, counts.tolist())


def bar_chart(label: Label, names: Sequence[str], values: Sequence[float]) -> Chart:
    """One bar per name. Where there are many, every second (third, …) name is written below."""
    y_ticks = nice_ticks(0, max(values, default=0))
    step = (RIGHT - LEFT) / max(1, len(names))
    top = _scale(np.asarray(values, np.float64), (0, y_ticks[-1]), (BOTTOM, TOP))
    bars = [
        Bar(round(LEFT + i * step + step * 0.1, 1), y, round(step * 0.8, 1), round(BOTTOM - y, 1), f"{name}: {value:,}")
        for i, (name, value, y) in enumerate(zip(names, values, top.tolist(), strict=True))
    ]
    every = math.ceil(len(names) / 6)
    x_ticks = [Tick(round(LEFT + (i + 0.5) * step, 1), compact_range(name)) for i, name in enumerate(names)][::every]
    return Chart(
        label.title, label.figure, label.x_label,
        tuple(x_ticks), _ticks(y_ticks, (0, y_ticks[-1]), (BOTTOM, TOP)), bars=tuple(bars),
    )  # fmt: skip


def scatter(label: Label, points: Sequence[tuple[float, float, str]], *, chosen: int | None) -> Chart:
    """A mark for each point (x, y ≥ 0, words); the chosen one looks different."""
    xs, ys = (np.array([point[axis] for point in points], np.float64) for axis in (0, 1))
    x_ticks, y_ticks = nice_ticks(xs.min(), xs.max()), nice_ticks(0.0, ys.max())
    ends_x, ends_y = (x_ticks[0], x_ticks[-1]), (y_ticks[0], y_ticks[-1])
    places = zip(_scale(xs, ends_x, (LEFT, RIGHT)).tolist(), _scale(ys, ends_y, (BOTTOM, TOP)).tolist(), strict=True)
    return Chart(
        label.title, label.figure, label.x_label,
        _ticks(x_ticks, ends_x, (LEFT, RIGHT)), _ticks(y_ticks, ends_y, (BOTTOM, TOP)),
        marks=tuple(Mark(x, y, points[i][2], i == chosen) for i, (x, y) in enumerate(places)),
    )  # fmt: skip


def nice_ticks(low: float, high: float, count: int = 4) -> list[float]:
    """About `count` round numbers that begin at or below `low` and end at or above `high`."""
    span = high - low if high > low else abs(high) or 1.0
    raw = span / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = power * next(factor for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(step * i, 12) for i in range(first, max(last, first + 1) + 1)]


def moving_average(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of each value and its neighbors within 4 % of the length, fewer at the ends: as long as the input."""
    reach = max(1, len(values) // 25)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    here = np.arange(len(values))
    first, last = np.maximum(here - reach, 0), np.minimum(here + reach + 1, len(values))
    averages: NDArray[np.float64] = np.round((sums[last] - sums[first]) / (last - first), 1)
    return averages


def compact(value: float) -> str:
    """A number as short as an axis needs: 1500 -> 1.5k, 2000000 -> 2M, 0.00075 -> 7.5e-4."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    if 0 < abs(value) < 0.01:
        mantissa, _, power = f"{value:.1e}".partition("e")
        return f"{float(mantissa):g}e{int(power)}"
    return f"{value:.4g}"


def compact_range(name: str) -> str:
    """A range such as 1024–2047 by its lower end, 1k+; other names as they are."""
    low, dash, _ = name.partition("–")
    return compact(int(low)) + "+" if dash else name


def _thin(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """At most MAX_POINTS points: means of runs of y, at the last x of each run."""
    if len(x) <= MAX_POINTS:
        return x, y
    runs = np.array_split(np.arange(len(x)), MAX_POINTS)
    return x[[run[-1] for run in runs]], np.array([y[run].mean() for run in runs])


def _scale(
    values: NDArray[np.float64], source: tuple[float, float], target: tuple[float, float]
) -> NDArray[np.float64]:
    span = source[1] - source[0] or 1.0
    scaled: NDArray[np.float64] = np.round(target[0] + (values - source[0]) / span * (target[1] - target[0]), 1)
    return scaled


def _ticks(values: list[float], source: tuple[float, float], target: tuple[float, float]) -> tuple[Tick, ...]:
    inside = [value for value in values if source[0] - 1e-12 <= value <= source[1] * (1 + 1e-9) + 1e-12]
    places = _scale(np.array(inside), source, target).tolist()
    return tuple(Tick(at, compact(value)) for at, value in zip(places, inside, strict=True))


def _path(x: NDArray[np.float64], y: NDArray[np.float64], is_step: bool) -> str:
    points = list(zip(x.tolist(), y.tolist(), strict=True))
    start, rest = f"M{points[0][0]} {points[0][1]}", points[1:]
    return start + "".join(f"H{at_x}V{at_y}" if is_step else f"L{at_x} {at_y}" for at_x, at_y in rest)
