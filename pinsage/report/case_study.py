"""Rows of a query picture with its nearest pins by each method, side by side: the paper's case study.

Source: PinSage §4.3, Figure 4.
"""

import itertools
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pinsage.catalog.catalog import Catalog
from pinsage.pairs.pairs import Pairs
from pinsage.report.scores import LABELS, Rows
from pinsage.report.thumbnails import Size, thumbnail
from pinsage.settings.schema import ReportSettings

COLUMNS = ("visual", "annotation", "pixie", "pinsage")
QUERY, NEIGHBOR = Size(176, 220, 8000), Size(120, 150, 4000)


@dataclass(frozen=True)
class Tile:
    """A pin as the page shows it: a thumbnail (a `data:` URI), or where it is None a tile with the title in a hue."""

    title: str
    picture: str | None
    hue: int
    score: str = ""
    is_held_out: bool = False


@dataclass(frozen=True)
class StudyRow:
    """A query and, per method of the study, its nearest pins."""

    query: Tile
    neighbors: tuple[tuple[Tile, ...], ...]


@dataclass(frozen=True)
class CaseStudy:
    """The rows, the methods of their columns (key and label), and how many pictures could not be shown."""

    methods: tuple[tuple[str, str], ...]
    rows: tuple[StudyRow, ...]
    num_unreadable: int

    @property
    def num_pictures(self) -> int:
        """The number of tiles that show a picture."""
        tiles = [tile for row in self.rows for tile in (row.query, *itertools.chain(*row.neighbors))]
        return sum(tile.picture is not None for tile in tiles)

    @property
    def has_held_out(self) -> bool:
        """True if a held-out positive is among the pins shown."""
        return any(tile.is_held_out for row in self.rows for strip in row.neighbors for tile in strip)


Strips = dict[int, dict[str, list[tuple[int, float]]]]  # query -> method -> (pin, score), best first


def case_study(examples: Rows, catalog: Catalog, held_out: Pairs, settings: ReportSettings) -> CaseStudy:
    """The rows that the settings ask for, of the methods in COLUMNS that the examples hold.

    Args:
        examples: rows of `examples.parquet`.
        catalog: titles and pictures of the pins.
        held_out: pairs whose positives are marked where a method found them.
        settings: how many rows and pins; another seed shows other queries.
    """
    strips = _strips(examples, settings.num_neighbors)
    queries = _chosen(list(strips), settings)
    methods = [method for method in COLUMNS if any(method in strips[query] for query in queries)]
    shown = {pin for query in queries for method in methods for pin, _ in strips[query].get(method, [])}
    tiles = _Tiles(catalog, set(queries), shown)
    positives = _positives(held_out, set(queries))
    rows = [
        StudyRow(
            tiles.query(query),
            tuple(tuple(tiles.neighbors(strips[query].get(method, []), positives[query])) for method in methods),
        )
        for query in queries
    ]
    return CaseStudy(tuple((method, LABELS[method][0]) for method in methods), tuple(rows), tiles.num_unreadable)


class _Tiles:
    """Titles and thumbnails of all pins of the study, each read and drawn once."""

    def __init__(self, catalog: Catalog, queries: set[int], neighbors: set[int]) -> None:
        pins = np.array(sorted(queries | neighbors), np.int32)
        self._titles = dict(zip(pins.tolist(), catalog.titles(pins), strict=True))
        pictures = catalog.pictures_of(pins)
        self._large = {pin: thumbnail(pictures[pin], QUERY) for pin in sorted(queries & pictures.keys())}
        self._small = {pin: thumbnail(pictures[pin], NEIGHBOR) for pin in sorted(neighbors & pictures.keys())}
        thumbnails = [*self._large.items(), *self._small.items()]
        self.num_unreadable = len({pin for pin, picture in thumbnails if picture is None})

    def query(self, pin: int) -> Tile:
        return Tile(self._titles[pin], self._large.get(pin), _hue(self._titles[pin]))

    def neighbors(self, strip: Iterable[tuple[int, float]], positives: set[int]) -> Iterator[Tile]:
        for pin, score in strip:
            title = self._titles[pin]
            yield Tile(title, self._small.get(pin), _hue(title), f"{score:.2f}", pin in positives)


def _strips(examples: Rows, num_neighbors: int) -> Strips:
    strips: Strips = {}
    for row in sorted(examples, key=lambda row: bool(row["method"] != "pinsage")):  # PinSage answers every query
        line = strips.setdefault(row["query"], {}).setdefault(row["method"], [])
        if row["rank"] <= num_neighbors:
            line.append((row["pin"], row["score"]))
    return strips


def _chosen(queries: list[Any], settings: ReportSettings) -> list[int]:
    """The next `num_queries` of the evaluation's random order for each next seed."""
    first = settings.seed * settings.num_queries % max(1, len(queries))
    return (queries[first:] + queries[:first])[: settings.num_queries]


def _positives(held_out: Pairs, queries: set[int]) -> dict[int, set[int]]:
    found: dict[int, set[int]] = defaultdict(set)
    for query, positive in zip(held_out.query.tolist(), held_out.positive.tolist(), strict=True):
        if query in queries:
            found[query].add(positive)
    return found


def _hue(title: str) -> int:
    return zlib.crc32(title.encode()) % 360
