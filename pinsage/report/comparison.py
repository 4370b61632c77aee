"""The summary of a comparison, as Markdown and as one HTML page that fetches nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from pinsage.evaluation.comparison import SLICE_RANK
from pinsage.evaluation.names import ALL
from pinsage.evaluation.variants import ComparedRow, Lead, SliceRow, Spread
from pinsage.report.scores import LABELS, SHOWN, VIEWS, Column
from pinsage.report.template import fill

TEMPLATE = "comparison.html.j2"
NONE = "–"
SLICES = {  # by slice, or by slice and part
    ("cold", "cold"): "either pin is cold", ("cold", "warm"): "both pins are warm", "query": "the query is {}",
    "positive": "the positive is {}", "positive_degree": "the positive has {} saves",
    "board_size": "the board has {} pins",
}  # fmt: skip


@dataclass(frozen=True)
class ComparisonPage:
    """The rows of a comparison and the columns that are shown of them.

    Attributes:
        title: what was compared, on which data.
        rows: the variants in their order, then the simple methods.
        rank: of the hit rate that decides.
        missing: a sentence for every run that has no figures.
        slices: the hit rates of the variants on parts of the pairs.
    """

    title: str
    rows: Sequence[ComparedRow]
    rank: int
    missing: Sequence[str] = ()
    slices: Sequence[SliceRow] = ()

    @property
    def deciding(self) -> tuple[str, str]:
        """The view and the metric that decide."""
        return ALL, f"hit_rate@{self.rank}"

    @property
    def columns(self) -> list[Column]:
        """The metrics that some row has: the deciding hit rate first, of every other metric the least rank."""
        known = list(dict.fromkeys(of for row in self.rows for of in row.figures))
        found = [Column(*self.deciding)]
        for view, name in ((view, name) for view, names in SHOWN.items() for name in names):
            named = [metric for in_view, metric in known if in_view == view and metric.partition("@")[0] == name]
            if named:
                wanted = f"{name}@{self.rank}"
                found.append(Column(view, wanted if wanted in named else named[0]))
        return list(dict.fromkeys(found))

    def heading(self, column: Column) -> str:
        """The view, where it is not all pairs, and the metric in words."""
        return column.title if column.view == ALL else f"{VIEWS[column.view].lower()}: {column.title}"

    def cells(self, row: ComparedRow) -> list[str]:
        """The figures of a row in words, a cell per column."""
        return [_cell(row.figures.get((column.view, column.metric))) for column in self.columns]

    def lead(self, row: ComparedRow) -> str:
        """The lead of a variant over the first one in words."""
        return _lead(row.lead)

    def label(self, row: ComparedRow) -> str:
        """The name of a variant as it was given, of a method as it is written."""
        return LABELS.get(row.name, (row.name,))[0] if row.is_method else row.name

    def share(self, row: ComparedRow) -> float:
        """The deciding hit rate as a share of the best one: the length of the row's bar."""
        best = max((_value(each, self.deciding) for each in self.rows), default=0.0)
        return round(_value(row, self.deciding) / best, 4) if best else 0.0

    @property
    def variants(self) -> list[str]:
        """The names of the variants, in their order."""
        return [row.name for row in self.rows if not row.is_method]

    @property
    def slice_heading(self) -> str:
        """The metric of the slices in words."""
        return f"hit rate @ {SLICE_RANK} of the pairs where …"

    def part(self, row: SliceRow) -> str:
        """The pairs of a slice's row in words."""
        low, _, high = row.part.partition("-")
        text = SLICES.get((row.slice, row.part)) or SLICES.get(row.slice, f"{row.slice} {{}}")
        return text.format(low if low == high else row.part)

    def slice_cells(self, row: SliceRow) -> list[str]:
        """The number of pairs of a slice's row, and the figures of the variants."""
        return [f"{row.pairs:,}", *(_cell(row.figures.get(name)) for name in self.variants)]

    @property
    def story(self) -> str:
        """One sentence: which variant is ahead of the first one, which behind, which cannot be told from it."""
        variants = [row for row in self.rows if not row.is_method]
        if len(variants) < 2:
            return ""
        ahead = [row.name for row in variants if row.lead and row.lead.low > 0]
        behind = [row.name for row in variants if row.lead and row.lead.high < 0]
        level = [row.name for row in variants[1:] if row.lead and not row.lead.is_clear]
        parts = [
            f"{_names(names)} {verb if len(names) == 1 else verbs} '{variants[0].name}'"
            for names, verb, verbs in (
                (ahead, "is ahead of", "are ahead of"),
                (behind, "is behind", "are behind"),
                (level, "cannot be told from", "cannot be told from"),
            )
            if names
        ]
        return f"By the hit rate at {self.rank}, {'; '.join(parts)}." if parts else ""

    def markdown(self) -> str:
        """A table with a row per variant and method, and the sentences below it."""
        heads = ["", *(self.heading(column) for column in self.columns), f"lead over '{self._first}'"]
        rows = [[self.label(row), *self.cells(row), self.lead(row)] for row in self.rows]
        parts = [self.story, _table(heads, rows), *self.missing]
        if self.slices:
            heads = [self.slice_heading, "pairs", *self.variants]
            parts.append(_table(heads, [[self.part(row), *self.slice_cells(row)] for row in self.slices]))
        return "\n\n".join(part for part in parts if part) + "\n"

    def html(self) -> str:
        """The whole page."""
        return fill(TEMPLATE, page=self)

    @property
    def _first(self) -> str:
        return self.rows[0].name if self.rows else ""


def _value(row: ComparedRow, of: tuple[str, str]) -> float:
    figure = row.figures.get(of)
    return figure.mean if figure else 0.0


def _cell(figure: Spread | None) -> str:
    if figure is None:
        return NONE
    return f"{figure.mean:.4f}" + (f" ± {figure.deviation:.4f}" if figure.deviation is not None else "")


def _lead(lead: Lead | None) -> str:
    return f"{lead.value:+.4f} ({lead.low:+.4f} to {lead.high:+.4f})" if lead else ""


def _names(names: Sequence[str]) -> str:
    quoted = [f"'{name}'" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join([_line(heads), "|---" * len(heads) + "|", *map(_line, rows)])


def _line(cells: Sequence[str]) -> str:
    escaped = [cell.replace("|", "\\|") for cell in cells]
    return f"| {' | '.join(escaped)} |"
