"""Markdown tables of recommendation_quality.py, made from its raw numbers."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from quality_runs import FIGURES, FULL, Record

from pinsage.evaluation.names import PINSAGE
from pinsage.report.scores import LABELS, best_simple

COLUMNS = (
    ("hit@10", "all", "hit_rate@10"),
    ("hit@50", "all", "hit_rate@50"),
    ("scaled MRR", "all", "scaled_mrr"),
    ("new pairs, hit@10", "new", "hit_rate@10"),
    ("board, recall@20", "board", "recall@20"),
    ("board, NDCG@20", "board", "ndcg@20"),
)
DECIDING = ("all", "hit_rate@10")
BEGIN, END = "<!-- tables: begin -->\n", "<!-- tables: end -->"
NONE = "–"


def page_of(found: dict[str, Any]) -> str:
    """All tables below their headings."""
    runs: list[Record] = found["runs"]
    names = list(dict.fromkeys(run["set"] for run in runs))
    by_set = {name: [run for run in runs if run["set"] == name] for name in names}
    methods = "\n\n".join(f"### {name}\n\n{methods_table(of_set)}" for name, of_set in by_set.items())
    ablations = "\n\n".join(
        f"### {name}: the levers\n\n{ablation_table(of_set)}"
        for name, of_set in by_set.items()
        if {run["variant"] for run in of_set} > {FULL}
    )
    parts = {"All methods": methods, "What each lever brings": ablations}
    if found.get("published"):
        parts["Beside published figures"] = published_table(found["published"])
    body = "\n\n".join(f"## {title}\n\n{text}" for title, text in parts.items() if text)
    return f"{body}\n\nMeasured on {found['hardware']}.\n"


def write_between_marks(page: Path, text: str) -> None:
    """Put the tables into a document, between its two marks."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


def methods_table(runs: list[Record]) -> str:
    """A row per method, the best first: PinSage as mean ± sd over the seeds, the others as they are."""
    full = [run for run in runs if run["variant"] == FULL]
    if not full:
        return "The settings as they are were not run."
    figures = [_test(run) for run in full]
    first = figures[0]
    rival = best_simple([dict(zip(FIGURES, row, strict=True)) for row in full[0]["figures"]])
    methods = sorted({method for method, *_ in first}, key=lambda name: -first[name, *DECIDING][0])
    lines = _head("method", *(title for title, *_ in COLUMNS), "95 % interval of hit@10")
    for method in methods:
        of_seeds = figures if method == PINSAGE else figures[:1]
        cells = [_cell([found.get((method, view, metric)) for found in of_seeds]) for _, view, metric in COLUMNS]
        _, low, high = first[method, *DECIDING]
        lines.append(_row(_name(method, rival), *cells, f"{low:.4f} to {high:.4f}"))
    return "\n".join([*lines, "", _footnote(full, rival)])


def ablation_table(runs: list[Record]) -> str:
    """A row per variant of the settings: PinSage alone, mean ± sd over the seeds."""
    variants = list(dict.fromkeys(run["variant"] for run in runs))
    lines = _head("settings", *(title for title, *_ in COLUMNS), "training, s")
    for variant in variants:
        of_seeds = [run for run in runs if run["variant"] == variant]
        figures = [_test(run) for run in of_seeds]
        cells = [_cell([found.get((PINSAGE, view, metric)) for found in figures]) for _, view, metric in COLUMNS]
        seconds = np.mean([run["seconds"]["train"] for run in of_seeds])
        lines.append(_row(variant, *cells, f"{seconds:,.0f}"))
    return "\n".join(lines)


def published_table(published: dict[str, Any]) -> str:
    """Recall@20 and NDCG@20 on Gowalla's published split, the best first."""
    rows = [(name, "published", [recall], [ndcg]) for name, (recall, ndcg) in published["published"].items()]
    for name, recall, ndcg in published["measured"]:
        rows.append((name, "measured here", [recall], [ndcg]))
    ours = [run["board"] for run in published["runs"]]
    rows.append(("**PinSage**", "measured here", *([run[at][0] for run in ours] for at in ("recall@20", "ndcg@20"))))
    rows.sort(key=lambda row: -np.mean(row[2]))
    lines = _head("method", "", "Recall@20", "NDCG@20")
    return "\n".join(
        [*lines, *(_row(name, source, spread(recall), spread(ndcg)) for name, source, recall, ndcg in rows)]
    )


def spread(values: list[float]) -> str:
    """A value, or the mean and standard deviation of several."""
    return f"{np.mean(values):.4f}" + (f" ± {np.std(values, ddof=1):.4f}" if len(values) > 1 else "")


def _test(run: Record) -> dict[tuple[str, str, str], list[float]]:
    """The value and the ends of the interval on test pairs, by method, view and metric."""
    return {(method, view, metric): rest for method, split, view, metric, *rest in run["figures"] if split == "test"}


def _cell(found: Iterable[list[float] | None]) -> str:
    values = [figure[0] for figure in found if figure is not None]
    return spread(values) if values else NONE


def _name(method: str, rival: str) -> str:
    label = LABELS.get(method, (method,))[0]
    return f"**{label}**" if method in (PINSAGE, rival) else label


def _footnote(full: list[Record], rival: str) -> str:
    """PinSage's lead over the best simple method by seed, the training time, and what was left out."""
    label = LABELS.get(rival, (rival,))[0]
    leads = [
        f"{value:+.4f} ({low:+.4f} to {high:+.4f})"
        for method, split, view, metric, value, low, high in full[0]["differences"]
        if (method, split, view, metric) == (rival, "test", *DECIDING)
    ]
    seconds = np.mean([run["seconds"]["train"] for run in full])
    seeds = "1 seed" if len(full) == 1 else f"{len(full)} seeds"
    lead = f"The best simple method is {label}: PinSage's lead in hit@10 is {leads[0]}. " if leads else ""
    out = full[0]["evaluate"].get("left_out")
    return f"{lead}Training took {seconds:,.0f} s ({seeds})." + (f" Left out: {out}." if out else "")


def _head(*titles: str) -> list[str]:
    return [_row(*titles), "|---" * len(titles) + "|"]


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
