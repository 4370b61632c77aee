"""The page's section on the data: the rows that came in, what was refused, the graph and the neighborhoods."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pinsage.catalog.refusals import Refusal, refusals
from pinsage.graph.csr import BipartiteGraph
from pinsage.report.charts import Chart, Label, histogram
from pinsage.store.arrays import open_array
from pinsage.store.manifest import Facts, Manifest
from pinsage.walks.neighborhood import Neighborhoods

CHUNK_PINS = 65_536
TABLES = ("pins", "pictures", "boards", "saves", "engagements")
Folders = Mapping[str, Path]


@dataclass(frozen=True)
class TableRows:
    """The row counts of one table that the owner brought."""

    table: str
    rows_in: int
    kept: int
    quarantined: int
    later: int


@dataclass(frozen=True)
class World:
    """The data and the graph: `facts` are name and text, `charts` the distributions behind them."""

    as_of: str
    num_pins: int
    num_boards: int
    num_saves: int
    tables: tuple[TableRows, ...]
    refusals: tuple[Refusal, ...]
    facts: tuple[tuple[str, str], ...]
    charts: tuple[Chart, ...]


def world(inputs: Folders) -> World:
    """The world of a run, read from the artifacts of the stages before training."""
    ingested = Manifest.read(inputs["ingest"]).facts
    graph, neighborhoods = BipartiteGraph.open(inputs["connect"]), Neighborhoods.open(inputs["walk"])
    num_neighbors = neighbor_counts(neighborhoods)
    return World(
        as_of=readable(str(ingested.get("as_of") or "")),
        num_pins=graph.num_pins,
        num_boards=graph.num_boards,
        num_saves=graph.num_saves,
        tables=table_rows(ingested),
        refusals=tuple(refusals(inputs["ingest"], inputs["featurize_visual"])),
        facts=tuple(_facts(inputs, graph, num_neighbors)),
        charts=_charts(graph, num_neighbors, neighborhoods.num_neighbors),
    )


def readable(as_of: str) -> str:
    """An ISO instant to the minute, for people; any other text as it is."""
    try:
        return datetime.fromisoformat(as_of).strftime("%-d %B %Y, %H:%M UTC")
    except ValueError:
        return as_of


def table_rows(ingested: Facts) -> tuple[TableRows, ...]:
    """Rows in, kept, quarantined and later than as_of, per table, as the stage ingest counted them."""
    names = [table for table in TABLES if f"{table}_in" in ingested]
    return tuple(
        TableRows(table, *(int(ingested.get(f"{table}{part}") or 0) for part in ("_in", "", "_quarantined", "_later")))
        for table in names
    )


def neighbor_counts(neighborhoods: Neighborhoods) -> NDArray[np.int64]:
    """The number of neighbors of a weight above 0 of each pin, int64 [P]."""
    weights = neighborhoods.weights
    parts = [np.count_nonzero(weights[i : i + CHUNK_PINS], axis=1) for i in range(0, len(weights), CHUNK_PINS)]
    return np.concatenate(parts).astype(np.int64) if parts else np.zeros(0, np.int64)


def _facts(inputs: Folders, graph: BipartiteGraph, num_neighbors: NDArray[np.int64]) -> list[tuple[str, str]]:
    has_picture = open_array(inputs["featurize_visual"] / "has_picture.npy", np.bool_, (None,))
    has_text = open_array(inputs["featurize_text"] / "has_text.npy", np.bool_, (None,))
    cold_pins = open_array(inputs["pair"] / "cold_pins.npy", np.int32, (None,))
    pairs = {
        name: pq.read_metadata(inputs["pair"] / f"{name}.parquet").num_rows for name in ("train", "validation", "test")
    }
    return [
        ("Pins", f"{graph.num_pins:,}"),
        ("… with a readable picture", share(int(has_picture.sum()), graph.num_pins)),
        ("… with known words", share(int(has_text.sum()), graph.num_pins)),
        ("… cold (no training save)", share(len(cold_pins), graph.num_pins)),
        ("… in the spectral features", _spectral(Manifest.read(inputs["featurize_saves"]).facts)),
        ("Boards", f"{graph.num_boards:,}"),
        ("Training saves", f"{graph.num_saves:,}"),
        ("Boards per pin, median / most", spread(graph.pin_degrees)),
        ("Pins per board, median / most", spread(graph.board_degrees)),
        ("Neighbors per pin, median / most", spread(num_neighbors)),
        *((f"{name.capitalize()} pairs", f"{count:,}") for name, count in pairs.items()),
    ]


def _spectral(facts: Facts) -> str:
    """The number of spectral columns, and the share of the pin-board matrix in them."""
    return f"{facts['rank']} columns, {100 * float(facts['energy_captured'] or 0):.1f} % of the saves"


def _charts(graph: BipartiteGraph, num_neighbors: NDArray[np.int64], most: int) -> tuple[Chart, ...]:
    full = share(int(np.sum(num_neighbors == most)), len(num_neighbors), short=True)
    return (
        histogram(Label("Boards per pin", f"mean {mean(graph.pin_degrees)}", "boards"), graph.pin_degrees),
        histogram(Label("Pins per board", f"mean {mean(graph.board_degrees)}", "pins"), graph.board_degrees),
        histogram(Label("Neighbors per pin", f"{full} have all {most}", "neighbors with a weight"), num_neighbors),
    )


def share(part: int, whole: int, *, short: bool = False) -> str:
    """A count with its share in percent, or the share alone."""
    percent = f"{100 * part / whole:.1f} %" if whole else "0 %"
    return percent if short else f"{part:,} ({percent})"


def spread(values: NDArray[np.int64]) -> str:
    """The median and the largest of some counts."""
    return f"{np.median(values):,.0f} / {values.max():,}" if len(values) else "–"


def mean(values: NDArray[np.int64]) -> str:
    """The mean of some counts, one digit."""
    return f"{values.mean():,.1f}" if len(values) else "–"
