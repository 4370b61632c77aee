"""The explorer's page: its figures and charts in HTML, its lists and its map as JSON that its own program reads.

Nothing on it depends on the run but through artifacts and the champion's release: the same give the same page. The one
exception is the speed of the index, which the index's manifest has from a clock.
"""

import base64
import hashlib
import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pinsage.catalog.catalog import Catalog
from pinsage.graph.csr import BipartiteGraph
from pinsage.release.difference import DEPTH
from pinsage.report import charts
from pinsage.report.charts import Chart, Label, bar_chart, scatter
from pinsage.report.explorer.first_pictures import first_pictures
from pinsage.report.explorer.lists import Champion, Lists, Model, compare_lists, sample_pins
from pinsage.report.explorer.pin_map import HIT, MISS, PinMap, pin_map
from pinsage.report.explorer.shown import ShownPins, shown_pins
from pinsage.report.scores import Headline
from pinsage.report.template import fill
from pinsage.report.world import Folders
from pinsage.settings.schema import ReportSettings
from pinsage.store.manifest import Fact, Facts, Manifest

TEMPLATE = "explorer/page.html.j2"
PROGRAM = ("explorer.js", "map.js", "start.js")  # one script, in this order
MAP_PINS = 100_000
# Of a catalog with more pins than the page may have, a quarter as many: their neighbors are shown, too.
SAMPLE_SHARE = 4
POPULAR_SHARE = 0.9  # a pin is popular with as many saves as this share of the pins has at most


@dataclass(frozen=True)
class IndexRow:
    """A measured setting of the index; `is_chosen` marks the one that is in use."""

    num_trees: int
    search_k: int
    recall: float
    queries_per_s: float
    p99_ms: float
    size_mb: float
    is_chosen: bool


@dataclass(frozen=True)
class Explorer:
    """The values that the template shows.

    Attributes:
        model_key: of the training.
        champion: the version of the release; empty without one.
        is_other_data: True if there is a release, of which no pin is among these.
        num_pins: of the catalog.
        lists: of the pins on the page.
        shown: all pins on the page.
        popular_from: saves that make a pin a popular one.
        pin_map: the map.
        pictures: `data:` URIs by place among the pins shown.
        index: the settings of the index, as measured.
    """

    model_key: str
    champion: str
    is_other_data: bool
    num_pins: int
    lists: Lists
    shown: ShownPins
    popular_from: int
    pin_map: PinMap
    pictures: dict[int, str]
    index: list[IndexRow]

    @property
    def facts(self) -> Facts:
        """The pins with lists, and how much of them the champion's lists have: means over the pins that it knows."""
        compared = self.lists.is_compared
        overlap, rbo = _mean(self.lists.kept[compared] / DEPTH), _mean(self.lists.rbo[compared])
        return {
            "explorer_pins": len(self.lists.pins),
            "champion": self.champion,
            "pins_compared": int(compared.sum()),
            "overlap_at_10": overlap,
            "rbo_at_10": rbo,
        }

    @property
    def headlines(self) -> list[Headline]:
        """The story in figures; none without a champion."""
        compared = self.lists.is_compared
        if not compared.any():
            return []
        kept, rbo = self.lists.kept[compared], self.lists.rbo[compared]
        same = float(np.mean(rbo > 1 - 1e-9))
        found = [
            Headline(f"{100 * kept.mean() / DEPTH:.1f} %", "of the related pins stay", f"of the first {DEPTH}, mean"),
            Headline(f"{rbo.mean():.3f}", "rank-biased overlap", "1: the same order everywhere; 0: nothing in common"),
            Headline(f"{100 * same:.1f} %", "of the pins keep their list", "the same pins in the same order"),
        ]  # fmt: skip
        is_cold = self.shown.degrees[self.shown.places(self.lists.pins[compared])] == 0
        if is_cold.any():
            note = f"{int(is_cold.sum()):,} pins without a training save"
            found.append(Headline(f"{100 * kept[is_cold].mean() / DEPTH:.1f} %", "stay for cold pins", note))
        return found

    @property
    def charts(self) -> list[Chart]:
        """The lists by pins kept, and the index by recall and speed."""
        found, kept = [], self.lists.kept[self.lists.is_compared]
        if len(kept):
            counts = np.bincount(kept, minlength=DEPTH + 1)
            label = Label("Pins by related pins kept", f"{len(kept):,} pins", f"of {DEPTH}")
            found.append(bar_chart(label, [str(number) for number in range(DEPTH + 1)], counts.tolist()))
        if self.index:
            label = Label("Queries/s by recall @ 10", f"{len(self.index)} settings", "recall @ 10")
            points = [(row.recall, row.queries_per_s, _words(row)) for row in self.index]
            chosen = next((place for place, row in enumerate(self.index) if row.is_chosen), None)
            found.append(scatter(label, points, chosen=chosen))
        return found

    @property
    def data(self) -> str:
        """The lists, the pins and the map as JSON; arrays are base64 of little-endian numbers."""
        shown, lists, where = self.shown, self.lists, self.pin_map
        place = "<i2" if len(shown.pin_ids) < 2**15 else "<i4"  # half the page is places
        tree = {
            "depth": DEPTH,
            "popularFrom": self.popular_from,
            "pins": {"ids": shown.pin_ids, "titles": shown.titles, "degrees": _packed(shown.degrees, "<i4")},
            "pictures": self.pictures,
            "lists": {
                "pins": _packed(shown.places(lists.pins), place),
                "ours": _packed(shown.places(lists.ours), place),
                "ourScores": _packed(_thousandths(lists.our_scores), "<i2"),
                "theirs": _packed(shown.places(lists.theirs), place),
                "theirScores": _packed(_thousandths(lists.their_scores), "<i2"),
                "kept": _packed(lists.kept, "i1"),
                "rbo": _packed(lists.rbo, "<f4"),
            },
            "map": {
                "pins": _packed(shown.places(where.pins), "<i4"),
                "x": _packed(where.x, "<u2"),
                "y": _packed(where.y, "<u2"),
                "degrees": _packed(where.degrees, "<i4"),
                "found": _packed(where.found, "u1"),
            },
        }
        return json.dumps(tree, ensure_ascii=False, separators=(",", ":"))


def gather_explorer(inputs: Folders, champion: Champion | None, settings: ReportSettings) -> Explorer:
    """The explorer of a run.

    Args:
        inputs: the folder of each stage's artifact.
        champion: the release that the run would replace; None if there is none.
        settings: how many pins and pictures.

    Raises:
        ArtifactDamagedError: an artifact is not what its stage publishes.
    """
    catalog, degrees = Catalog.open(inputs["ingest"]), BipartiteGraph.open(inputs["connect"]).pin_degrees
    model, most = Model.open(catalog.pin_ids.array, inputs["embed"], inputs["index"]), settings.explorer_pins
    pins = sample_pins(model.pin_ids, most if catalog.num_pins <= most else max(1, most // SAMPLE_SHARE))
    lists = compare_lists(model, champion.model if champion else None, pins).in_order(degrees)
    shown = shown_pins(lists, catalog, champion, degrees)
    found = _found(inputs["evaluate"] / "queries.parquet", catalog.num_pins)
    popular_from = max(1, int(np.quantile(degrees, POPULAR_SHARE))) if len(degrees) else 1
    return Explorer(
        model_key=Manifest.read(inputs["train"]).key,
        champion=champion.version if champion else "",
        is_other_data=champion is not None and not lists.is_compared.any(),
        num_pins=catalog.num_pins,
        lists=lists,
        shown=shown,
        popular_from=popular_from,
        pin_map=pin_map(model.embeddings, sample_pins(model.pin_ids, MAP_PINS), degrees, found),
        pictures=first_pictures(lists, shown, catalog, popular_from, settings.explorer_pictures),
        index=_index_rows(Manifest.read(inputs["index"]).facts),
    )


def render_explorer(page: Explorer) -> str:
    """The HTML of the explorer; whatever came from the data is escaped, in the JSON, too."""
    room = files("pinsage.report.explorer")
    program = "\n".join((room / name).read_text(encoding="utf-8") for name in PROGRAM)
    digest = base64.b64encode(hashlib.sha256(program.encode()).digest()).decode()
    # In a script element `<` alone could end it or begin a comment; JSON knows the same letter by its number.
    data = page.data.replace("<", "\\u003c")
    return fill(TEMPLATE, page=page, geometry=charts, depth=DEPTH, program=program, digest=digest, data=data)


def _found(queries: Path, num_pins: int) -> NDArray[np.uint8]:
    """Of every pin, whether a test pair of it was found; see `PinMap`: uint8 [P]."""
    table = pq.read_table(queries, page_checksum_verification=True).to_pydict()
    found = np.zeros(num_pins, np.uint8)
    for split, query, hits in zip(table["split"], table["query"], table["hits"], strict=True):
        if split == "test":
            found[query] = HIT if hits > 0 else MISS
    return found


def _index_rows(facts: Facts) -> list[IndexRow]:
    """The settings that the stage index measured, in the order of their recall."""
    rows: list[list[Any]] = json.loads(str(facts.get("curve") or "[]"))
    chosen = (facts.get("trees"), facts.get("search_k"))
    found = [_index_row(row, chosen) for row in rows]
    return sorted(found, key=lambda row: (row.recall, -row.queries_per_s))


def _index_row(row: list[Any], chosen: tuple[Fact, Fact]) -> IndexRow:
    num_trees, search_k, recall, queries_per_s, p99_ms, size_mb = row[:6]
    is_chosen = (num_trees, search_k) == chosen
    return IndexRow(num_trees, search_k, recall, queries_per_s, p99_ms, size_mb, is_chosen)


def _words(row: IndexRow) -> str:
    return (
        f"{row.num_trees} trees, {row.search_k:,} nodes: {row.recall:.4f}, {row.queries_per_s:,.0f}/s, {row.size_mb} MB"
    )


def _packed(values: NDArray[Any], dtype: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, np.dtype(dtype)).tobytes()).decode("ascii")


def _thousandths(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scores as whole numbers that two bytes hold; a page shows three digits."""
    thousandths: NDArray[np.float32] = np.clip(np.round(scores * 1000), -(2**15), 2**15 - 1)
    return thousandths


def _mean(values: NDArray[np.float64]) -> float | None:
    return round(float(values.mean()), 4) if len(values) else None
