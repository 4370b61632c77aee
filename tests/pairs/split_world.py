"""Small catalogs for the tests of pairs, and the split of one as it is read back."""

from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pinsage.catalog.catalog import Catalog
from pinsage.catalog.schema import PUBLISHED_BOARDS, PUBLISHED_ENGAGEMENTS, PUBLISHED_PINS, PUBLISHED_SAVES
from pinsage.pairs.pairs import HeldOutPairs, Pairs
from pinsage.pairs.split import SplitFigures, write_split
from pinsage.settings.schema import PairSettings
from pinsage.store.parquet_files import write_parquet

START = datetime(2024, 1, 1, tzinfo=UTC)


def catalog_of(folder, saves, *, num_pins=10, engagements=None, prefix="p") -> Catalog:
    """A catalog with pins p00, p01, ... and saves (board, pin, day or None)."""
    folder.mkdir(parents=True, exist_ok=True)
    num_boards = max(board for board, *_ in saves) + 1
    ids = {"pin_id": [f"{prefix}{pin:04d}" for pin in range(num_pins)]}
    boards = {"board_id": [f"b{board:04d}" for board in range(num_boards)]}
    rows = sorted(saves, key=lambda save: (save[0], -1 if save[2] is None else save[2], save[1]))
    times = [None if when is None else START + timedelta(days=when) for *_, when in rows]
    columns = [[row[0] for row in rows], [row[1] for row in rows], times]
    for name, table, schema in (
        ("pins", [{**dict.fromkeys(PUBLISHED_PINS.names), "pin_id": pin} for pin in ids["pin_id"]], PUBLISHED_PINS),
        (
            "boards",
            [{**dict.fromkeys(PUBLISHED_BOARDS.names), "board_id": b} for b in boards["board_id"]],
            PUBLISHED_BOARDS,
        ),
    ):
        write_parquet(folder / f"{name}.parquet", pa.Table.from_pylist(table, schema=schema))
    write_parquet(folder / "saves.parquet", pa.table(columns, schema=PUBLISHED_SAVES))
    write_parquet(folder / "pictures.parquet", pa.table({"pin": pa.array([], pa.int32())}))
    if engagements is not None:
        query, positive = zip(*engagements, strict=True)
        table = pa.table([query, positive, [None] * len(query)], schema=PUBLISHED_ENGAGEMENTS)
        write_parquet(folder / "engagements.parquet", table)
    return Catalog.open(folder)


def world(num_boards=40, num_pins=60, seed=0, has_times=True) -> list[tuple]:
    """Boards of 1 to 14 pins, saved at days that collide now and then."""
    rng = np.random.default_rng(seed)
    return [
        (board, int(pin), int(rng.integers(6)) if has_times else None)
        for board in range(num_boards)
        for pin in rng.choice(num_pins, size=rng.integers(1, 15), replace=False)
    ]


@dataclass(frozen=True)
class Saves:
    """The columns of saves.parquet."""

    board: np.ndarray
    pin: np.ndarray


@dataclass(frozen=True)
class PairSplit(SplitFigures):
    """The figures of a split and what its files hold."""

    train: Pairs
    validation: HeldOutPairs
    test: HeldOutPairs
    saves: Saves
    cold_pins: np.ndarray


def split_pairs(catalog: Catalog, settings: PairSettings) -> PairSplit:
    """The split of a catalog, written beside it and read again."""
    folder: Path = catalog.folder / "split"
    folder.mkdir(exist_ok=True)
    figures = write_split(catalog, settings, folder)
    readers = {"train": Pairs.read, "validation": HeldOutPairs.read, "test": HeldOutPairs.read}
    pairs = {name: read(folder / f"{name}.parquet") for name, read in readers.items()}
    saves = pq.read_table(folder / "saves.parquet")
    known = {field.name: getattr(figures, field.name) for field in fields(figures)}
    cold = np.load(folder / "cold_pins.npy")
    assert known["cold_pins"] == len(cold)
    assert {f"{name}_pairs": len(pairs[name]) for name in pairs}.items() <= known.items()
    columns = Saves(saves["board"].to_numpy(), saves["pin"].to_numpy())
    return PairSplit(**{**known, "cold_pins": cold}, **pairs, saves=columns)
