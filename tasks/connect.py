"""Connect pins and boards: the graph of the training saves, and the one with sessions that is walked."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyarrow import parquet

from pinsage.catalog.catalog import Catalog
from pinsage.errors import DatasetError
from pinsage.graph.build import build_graph
from pinsage.graph.csr import BipartiteGraph
from pinsage.graph.figures import graph_figures
from pinsage.graph.sessions import WALKED, add_sessions
from pinsage.graph.weights import add_weights
from pinsage.store.manifest import Facts
from pinsage.store.row_groups import row_groups
from tasks.running.work import StageWork


def connect(work: StageWork) -> Facts:
    """Write the arrays of the graph, with the weights of its saves where asked; returns its figures.

    Where `pair` found sessions, a second graph with these as further boards goes to the sub-folder `walked`.

    Raises:
        DatasetError: there are no training saves, or one names a pin or board that the catalog lacks.
        SettingsError: the weights asked for cannot be made of this data set.
    """
    folder, settings = work.inputs["ingest"], work.settings.graph
    boards, pins = _columns(work.inputs["pair"] / "saves.parquet", "board")
    if len(boards) == 0:
        raise DatasetError(
            "There are 0 training saves, so no pin has a neighbor. Use more saves or a later data.as_of."
        )
    graph = build_graph(
        pins,
        boards,
        num_pins=_num_rows(folder / "pins.parquet"),
        num_boards=_num_rows(folder / "boards.parquet"),
    )
    del boards, pins  # the graph keeps what it needs of them
    facts: Facts = {**graph_figures(graph)}
    if settings.edge_weights != "none":
        graph, figures = add_weights(graph, Catalog.open(folder), settings)
        facts.update(asdict(figures))
    graph.save(work.out)
    if (sessions := work.inputs["pair"] / "sessions.parquet").is_file():
        facts["sessions"] = _write_walked(graph, sessions, work.out / WALKED)
    return facts


def _write_walked(graph: BipartiteGraph, path: Path, out: Path) -> int:
    """Write the graph with the sessions of a file beside its boards; returns how many there are."""
    numbers, pins = _columns(path, "session")
    num_sessions = int(numbers.max(initial=-1)) + 1
    sessions = build_graph(pins, numbers, num_pins=graph.num_pins, num_boards=num_sessions)
    del numbers, pins
    out.mkdir()
    add_sessions(graph, sessions).save(out)
    return num_sessions


def _columns(path: Path, what: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """The column `what` and that of the pins, read by row group into the place where they stay."""
    size, schema = _num_rows(path), parquet.read_schema(path)
    columns = {name: np.empty(size, schema.field(name).type.to_pandas_dtype()) for name in (what, "pin")}
    start = 0
    for rows in row_groups(path, list(columns)):
        for name, column in columns.items():
            column[start : start + rows.num_rows] = rows.column(name).to_numpy()
        start += rows.num_rows
    return columns[what], columns["pin"]


def _num_rows(path: Path) -> int:
    return int(parquet.read_metadata(path).num_rows)
