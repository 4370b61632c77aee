"""A small catalog with words, categories and weights, and the graph of some of its saves."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from pinsage.catalog.catalog import Catalog
from pinsage.catalog.schema import PUBLISHED_BOARDS, PUBLISHED_PINS, PUBLISHED_SAVES
from pinsage.graph.build import build_graph
from pinsage.store.parquet_files import write_parquet

START = datetime(2024, 1, 1, tzinfo=UTC)


def catalog_of(folder, saves, *, num_pins=10, weights=None, annotations=None, categories=None) -> Catalog:
    """A catalog of saves (board, pin, day or None); weights by save, annotations by pin, categories by board."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = sorted(saves, key=lambda save: (save[0], -1 if save[2] is None else save[2], save[1]))
    boards, pins, days = map(list, zip(*rows, strict=True))
    times = [None if day is None else START + timedelta(days=day) for day in days]
    table = pa.table([boards, pins, times], schema=PUBLISHED_SAVES)
    if weights is not None:
        column = pa.array([weights[save] for save in zip(boards, pins, strict=True)], pa.float32())
        table = table.append_column("weight", column)
    num_boards, none = max(boards) + 1, [None] * num_pins
    words = list(annotations or [[]] * num_pins)
    ids = [f"p{pin:04d}" for pin in range(num_pins)]
    named = [f"b{board:04d}" for board in range(num_boards)]
    categories = list(categories or [None] * num_boards)
    write_parquet(folder / "saves.parquet", table)
    write_parquet(folder / "pins.parquet", pa.table([ids, none, none, none, words], schema=PUBLISHED_PINS))
    write_parquet(
        folder / "boards.parquet", pa.table([named, [None] * num_boards, categories], schema=PUBLISHED_BOARDS)
    )
    write_parquet(folder / "pictures.parquet", pa.table({"pin": pa.array([], pa.int32())}))
    return Catalog.open(folder)


def graph_of(catalog, saves):
    """The graph of (board, pin) saves."""
    boards, pins = np.array(sorted(saves), np.int32).reshape(-1, 2).T.copy()
    return build_graph(pins, boards, num_pins=catalog.num_pins, num_boards=catalog.num_boards)


def saves_of(graph) -> set[tuple[int, int]]:
    """The (board, pin) saves of a graph."""
    boards = np.repeat(np.arange(graph.num_boards), graph.board_degrees)
    return set(zip(boards.tolist(), graph.board_pins.tolist(), strict=True))
