"""The table of methods and metrics, as the page shows it."""

from dataclasses import dataclass
from typing import Any

LABELS = {
    "visual": ("Visual", "cosine of the pictures"),
    "annotation": ("Annotation", "cosine of the words"),
    "combined": ("Combined", "dense layers, no graph"),
    "pixie": ("Pixie", "random walks, nothing learned"),
    "popularity": ("Popularity", "the pins on the most boards"),
    "pinsage": ("PinSage", "graph convolutions"),
}
SPLITS = ("test", "validation")
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Cell:
    """One figure: its text, the length of its bar (0 to 1 of the best), and whether it is the best of its column."""

    text: str
    share: float
    is_best: bool


@dataclass(frozen=True)
class Column:
    """One metric on one split."""

    split: str
    metric: str

    @property
    def title(self) -> str:
        """The metric in words."""
        name, _, rank = self.metric.partition("@")
        words = {"hit_rate": "hit rate", "cold_hit_rate": "cold hit rate", "mrr": "MRR"}.get(name, name)
        return f"{words} @\u00a0{rank}" if rank else words


@dataclass(frozen=True)
class MethodRow:
    """One method: its name, what it is, and a cell per column (None where it has no figure)."""

    method: str
    label: str
    about: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class ScoreTable:
    """All methods by all metrics, PinSage last as in the paper."""

    columns: tuple[Column, ...]
    rows: tuple[MethodRow, ...]

    @property
    def has_cold(self) -> bool:
        """Whether there are figures for pairs with a cold pin."""
        return any(column.metric.startswith("cold") for column in self.columns)

    @property
    def splits(self) -> list[str]:
        """The splits that have columns, in order."""
        return list(dict.fromkeys(column.split for column in self.columns))

    def num_columns(self, split: str) -> int:
        """How many columns a split has."""
        return sum(column.split == split for column in self.columns)


@dataclass(frozen=True)
class Headline:
    """One large figure at the top, and a sentence that says what to make of it."""

    figure: str
    title: str
    note: str


def score_table(metrics: Rows) -> ScoreTable:
    """The table of `metrics.parquet`'s rows; test first, hit rates by rank, then MRR, then the cold slice."""
    values = {(row["method"], row["split"], row["metric"]): row["value"] for row in metrics}
    found = sorted({(split, metric) for _, split, metric in values}, key=lambda pair: _order(*pair))
    columns = tuple(Column(split, metric) for split, metric in found)
    present = [method for method in LABELS if any(key[0] == method for key in values)]
    best = {column: max(values.get((method, *_key(column)), 0.0) for method in present) for column in columns}
    return ScoreTable(columns, tuple(_row(method, columns, values, best) for method in present))


def headlines(metrics: Rows, num_cold_pairs: int) -> list[Headline]:
    """PinSage's own figures on test pairs, each set against the best other method; none without test pairs."""
    values = {(row["method"], row["metric"]): row["value"] for row in metrics if row["split"] == "test"}
    ranks = sorted(int(metric.split("@")[1]) for method, metric in values if metric.startswith("hit_rate@"))
    wanted = [f"hit_rate@{rank}" for rank in ranks[:1]] + ["mrr", "cold_hit_rate@10"]
    notes = {"cold_hit_rate@10": f" · {num_cold_pairs:,} pairs with a pin that no training save touches"}
    return [
        Headline(figure(metric, values["pinsage", metric]), f"{Column('test', metric).title}, test pairs",
                 _rivals(metric, values) + notes.get(metric, ""))
        for metric in wanted if ("pinsage", metric) in values
    ]  # fmt: skip


def figure(metric: str, value: float) -> str:
    """An MRR with three digits, a rate in percent, with two digits where it is below 10 %."""
    return f"{value:.3f}" if metric == "mrr" else f"{100 * value:.{1 if value >= 0.1 else 2}f} %"


def _rivals(metric: str, values: dict[tuple[str, str], float]) -> str:
    others = {method: value for (method, name), value in values.items() if name == metric and method != "pinsage"}
    if not others:
        return "no other method to compare with"
    best = max(others, key=lambda method: others[method])
    ours, theirs = values["pinsage", metric], others[best]
    times = f"{ours / theirs:.2f} × " if theirs > 0 else "against "
    return f"{times}{LABELS.get(best, (best,))[0]}, the best other method ({figure(metric, theirs)})"


def _row(
    method: str, columns: tuple[Column, ...], values: dict[tuple[str, str, str], float], best: dict[Column, float]
) -> MethodRow:
    cells = []
    for column in columns:
        value = values.get((method, *_key(column)))
        highest = best[column]
        share = value / highest if value is not None and highest > 0 else 0.0
        is_best = value is not None and value == highest and highest > 0
        cells.append(None if value is None else Cell(figure(column.metric, value), round(share, 3), is_best))
    return MethodRow(method, *LABELS[method], tuple(cells))


def _key(column: Column) -> tuple[str, str]:
    return column.split, column.metric


def _order(split: str, metric: str) -> tuple[int, int, int]:
    name, _, rank = metric.partition("@")
    kinds = ("hit_rate", "mrr", "cold_hit_rate")
    return SPLITS.index(split), kinds.index(name) if name in kinds else len(kinds), int(rank or 0)
