"""The table of methods and metrics as the page shows it, and the sentence that says whether PinSage is worth it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

LABELS = {
    "visual": ("Visual", "cosine of the pictures"),
    "annotation": ("Annotation", "cosine of the words"),
    "combined": ("Combined", "dense layers, no graph"),
    "pixie": ("Pixie", "random walks, nothing learned"),
    "item_knn": ("Item-kNN", "cosine of the boards of two pins"),
    "rp3beta": ("RP3beta", "short walks, popular pins damped"),
    "transitions": ("Transitions", "what was saved next"),
    "ease": ("EASE", "linear, in closed form"),
    "svd": ("SVD", "cosine of the largest factors"),
    "als": ("ALS", "implicit matrix factorization"),
    "bpr": ("BPR", "matrix factorization by order"),
    "item2vec": ("item2vec", "word2vec of the saves"),
    "popularity": ("Popularity", "the pins on the most boards"),
    "pinsage": ("PinSage", "graph convolutions"),
}
# Shown beside PinSage in any case: those of the paper, and the floor. Of the others only the best one.
ALWAYS_SHOWN = ("visual", "annotation", "combined", "pixie", "popularity", "pinsage")
VIEWS = {"all": "All pairs", "new": "New pairs", "board": "Board to pin"}
SHOWN = {"all": ("hit_rate", "scaled_mrr", "cold_hit_rate"), "new": ("hit_rate",), "board": ("recall", "ndcg")}
WORDS = {
    "hit_rate": "hit rate", "cold_hit_rate": "cold hit rate", "mrr": "MRR", "scaled_mrr": "scaled MRR",
    "recall": "recall", "ndcg": "NDCG",
}  # fmt: skip
SPLIT = "test"
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Column:
    """One metric of one view."""

    view: str
    metric: str

    @property
    def title(self) -> str:
        """The metric in words."""
        name, _, rank = self.metric.partition("@")
        return f"{WORDS.get(name, name)} @\u00a0{rank}" if rank else WORDS.get(name, name)


@dataclass(frozen=True)
class Cell:
    """One figure: its text and interval, the length of its bar (0 to 1 of the best), whether its column's best."""

    text: str
    interval: str
    share: float
    is_best: bool


@dataclass(frozen=True)
class MethodRow:
    """One method: its name, what it is, and a cell per column (None where it has no figure)."""

    method: str
    label: str
    about: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class ScoreTable:
    """Methods by metrics on the test pairs, PinSage last as in the paper and its best rival beside it."""

    columns: tuple[Column, ...]
    rows: tuple[MethodRow, ...]

    @property
    def has_cold(self) -> bool:
        """True if there are figures for pairs with a cold pin."""
        return any(column.metric.startswith("cold") for column in self.columns)

    @property
    def views(self) -> list[str]:
        """The views that have columns, in order."""
        return list(dict.fromkeys(column.view for column in self.columns))

    def num_columns(self, view: str) -> int:
        """The number of columns of a view."""
        return sum(column.view == view for column in self.columns)


@dataclass(frozen=True)
class Headline:
    """One large figure at the top, and a sentence on its meaning."""

    figure: str
    title: str
    note: str


@dataclass(frozen=True)
class Conclusion:
    """The comparison of PinSage with the best simple method: "wins", "loses" or "tied", and sentences."""

    outcome: str
    text: str


def score_table(metrics: Rows, *, all_methods: bool = False) -> ScoreTable:
    """The table of `metrics.parquet`'s test rows: the methods that matter, or all of them, the weakest first."""
    cells = {(row["method"], Column(row["view"], row["metric"])): row for row in metrics if _is_shown(row)}
    columns = tuple(sorted({column for _, column in cells}, key=_order))
    found = {method for method, _ in cells}
    rival = best_simple(metrics)
    methods = [name for name in LABELS if name in found and (all_methods or name in (*ALWAYS_SHOWN, rival))]
    # PinSage last and its best rival right before it: the two rows that are compared lie together.
    methods.sort(key=lambda name: (name == "pinsage", name == rival))
    best = {at: max(row["value"] for (_, column), row in cells.items() if column == at) for at in columns}
    rows = (tuple(_cell(cells.get((name, at)), best[at]) for at in columns) for name in methods)
    return ScoreTable(
        columns, tuple(MethodRow(name, *LABELS[name], row) for name, row in zip(methods, rows, strict=True))
    )


def best_simple(metrics: Rows) -> str:
    """The method other than PinSage with the best deciding hit rate on test; empty where there is none."""
    metric = deciding_metric(metrics)
    others = {row["method"]: row["value"] for row in _test(metrics, "all", metric) if row["method"] != "pinsage"}
    return max(others, key=lambda name: others[name]) if others else ""


def deciding_metric(metrics: Rows) -> str:
    """The hit rate at 10, or at the first rank where nobody asked for 10; empty without hit rates."""
    found = {row["metric"] for row in metrics if row["metric"].startswith("hit_rate@")}
    first = min(found, key=_rank, default="")
    return "hit_rate@10" if "hit_rate@10" in found else first


def conclusion(metrics: Rows, differences: Rows) -> Conclusion | None:
    """The deciding figure of PinSage against the best simple method, with the interval of their difference."""
    rival, metric = best_simple(metrics), deciding_metric(metrics)
    values = {row["method"]: row["value"] for row in _test(metrics, "all", metric)}
    paired = [row for row in _test(differences, "all", metric) if row["method"] == rival]
    if not paired or "pinsage" not in values:
        return None
    lead, label = paired[0], LABELS.get(rival, (rival,))[0]
    outcome = "wins" if lead["low"] > 0 else "loses" if lead["high"] < 0 else "tied"
    opening = {
        "wins": f"PinSage is worth it on these pins: it beats {label}, the best simple method",
        "loses": f"PinSage is not worth it on these pins: {label}, a simple method, beats it",
        "tied": f"PinSage and {label}, the best simple method, cannot be told apart on these pins",
    }[outcome]
    own, other = figure(metric, values["pinsage"]), figure(metric, values[rival])
    points = [f"{100 * lead[end]:+.2f}" for end in ("value", "low", "high")]
    return Conclusion(
        outcome,
        f"{opening}. {Column('all', metric).title.capitalize()} on all test pairs: {own} against {other}, a difference "
        f"of {points[0]} points (95 % interval {points[1]} to {points[2]}, measured on the same queries).",
    )


def headlines(metrics: Rows) -> list[Headline]:
    """PinSage's own figures on all test pairs, each set against the best other method; none without test pairs."""
    wanted, found = (deciding_metric(metrics), "scaled_mrr", "cold_hit_rate@10"), []
    for metric in wanted:
        values = {row["method"]: row for row in _test(metrics, "all", metric)}
        if own := values.get("pinsage"):
            title = f"{Column('all', metric).title}, all test pairs"
            note = f"95 % interval {_interval(own)}; {_rivals(metric, values)}"
            found.append(Headline(figure(metric, own["value"]), title, note))
    return found


def figure(metric: str, value: float) -> str:
    """An MRR or NDCG with three digits, a rate in percent, with two digits where it is below 10 %."""
    if metric.split("@", maxsplit=1)[0] in ("mrr", "scaled_mrr", "ndcg"):
        return f"{value:.3f}"
    return f"{100 * value:.{1 if value >= 0.1 else 2}f} %"


def _is_shown(row: dict[str, Any]) -> bool:
    return row["split"] == SPLIT and row["metric"].split("@")[0] in SHOWN.get(row["view"], ())


def _test(rows: Iterable[dict[str, Any]], view: str, metric: str) -> Rows:
    return [row for row in rows if (row["split"], row["view"], row["metric"]) == (SPLIT, view, metric)]


def _rivals(metric: str, values: dict[str, dict[str, Any]]) -> str:
    others = {method: row["value"] for method, row in values.items() if method != "pinsage"}
    if not others:
        return "no other method to compare with"
    best = max(others, key=lambda method: others[method])
    ours, theirs = values["pinsage"]["value"], others[best]
    times = f"{ours / theirs:.2f} × " if theirs > 0 else "against "
    return f"{times}{LABELS.get(best, (best,))[0]}, the best other method ({figure(metric, theirs)})"


def _cell(row: dict[str, Any] | None, best: float) -> Cell | None:
    if row is None:
        return None
    share = row["value"] / best if best > 0 else 0.0
    return Cell(figure(row["metric"], row["value"]), _interval(row), round(share, 3), row["value"] == best > 0)


def _interval(row: dict[str, Any]) -> str:
    ends = (figure(row["metric"], row[end]).removesuffix(" %") for end in ("low", "high"))
    return "–".join(ends)


def _rank(metric: str) -> int:
    return int(metric.partition("@")[2] or 0)


def _order(column: Column) -> tuple[int, int, int]:
    kinds = SHOWN[column.view]
    return list(VIEWS).index(column.view), kinds.index(column.metric.split("@")[0]), _rank(column.metric)
