"""Small data sets for the tests of the catalog: a good world of three pins and two boards, to be spoiled."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pinsage.catalog.catalog import Catalog
from pinsage.ingest.ingest import Ingested, ingest_dataset
from pinsage.settings.schema import DataSettings

NOW = datetime(2024, 6, 15, 12, tzinfo=UTC)
INSTANT = pa.timestamp("us", tz="UTC")


def day(number: int) -> datetime:
    """A day of June 2024, at noon UTC."""
    return datetime(2024, 6, number, 12, tzinfo=UTC)


def good_world() -> dict[str, pa.Table]:
    """Pins a, b, c; board x with saves of a, b and board y with saves of b, c."""
    return {
        "pins": pa.table({"pin_id": ["b", "a", "c"], "title": ["Bee", "Ant", None]}),
        "boards": pa.table({"board_id": ["y", "x"], "title": ["Yard", "Xylem"], "category": ["out", None]}),
        "saves": saves([("x", "a", day(1)), ("x", "b", day(2)), ("y", "b", day(3)), ("y", "c", day(4))]),
    }


def saves(rows: list[tuple]) -> pa.Table:
    """A table of saves from (board_id, pin_id, saved_at)."""
    schema = pa.schema([("board_id", pa.string()), ("pin_id", pa.string()), ("saved_at", INSTANT)])
    return pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema=schema)


def write(folder: Path, **tables: pa.Table | None) -> Path:
    """Write the good world with some tables replaced, or left out where None."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in (good_world() | tables).items():
        if table is not None:
            pq.write_table(table, folder / f"{name}.parquet")
    return folder


def ingest(folder: Path, out: Path, **settings) -> Ingested:
    """Ingest a folder with a tolerance for dirt, since one bad row of four is a large share."""
    out.mkdir(parents=True, exist_ok=True)
    choices = DataSettings(**{"dataset": str(folder), "max_bad_share": 0.9, **settings})
    return ingest_dataset(choices, out, now=NOW)


def ingested(folder: Path, out: Path, **settings) -> Catalog:
    """The catalog of a folder."""
    ingest(folder, out, **settings)
    return Catalog.open(out)


def reasons(out: Path) -> list[tuple[str, int, str]]:
    """(table, row, reason) of every quarantined row."""
    rows = pq.read_table(out / "quarantine.parquet").to_pylist()
    return [(row["table"], row["row"], row["reason"]) for row in rows]
