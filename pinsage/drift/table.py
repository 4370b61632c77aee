"""The table of measures as a file, and the figures of the last days beside it.

| file | columns |
|---|---|
| `drift.parquet` | the fields of `Measure`, one row each |
| `history.parquet` | `day` (in order), `as_of`, `name`, `value`: a measure's figure of the day, or its change |
"""

from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pinsage.drift.measures import Measure
from pinsage.store.parquet_files import write_parquet

DRIFT, HISTORY = "drift.parquet", "history.parquet"
DAYS = 30
_TEXT, _NUMBER = pa.string(), pa.float64()
_MEASURES = pa.schema(
    {
        "name": _TEXT, "today": _NUMBER, "change": _NUMBER, "champion_change": _NUMBER, "warn": _NUMBER,
        "stop": _NUMBER, "verdict": _TEXT, "sentence": _TEXT,
    }
)  # fmt: skip
_DAYS = pa.schema({"day": pa.int32(), "as_of": _TEXT, "name": _TEXT, "value": _NUMBER})


def write_measures(folder: Path, measures: list[Measure]) -> None:
    """Write `drift.parquet`."""
    write_parquet(folder / DRIFT, pa.Table.from_pylist([asdict(each) for each in measures], _MEASURES))


def read_measures(folder: Path) -> list[Measure]:
    """The measures that a run published."""
    return [Measure(**row) for row in pq.read_table(folder / DRIFT, page_checksum_verification=True).to_pylist()]


def write_history(folder: Path, measures: list[Measure], as_of: str, earlier: Path | None) -> None:
    """Write `history.parquet`: the last DAYS days with today's, which continues that of an earlier run.

    Args:
        folder: where to write it.
        measures: of today.
        as_of: of today's data.
        earlier: the folder of the run before; None where there is none.
    """
    rows = pq.read_table(earlier / HISTORY).to_pylist() if earlier else []
    today = max((row["day"] for row in rows), default=-1) + 1
    shown = {each.name: each.change if each.today is None else each.today for each in measures}
    rows += [
        {"day": today, "as_of": as_of, "name": name, "value": value}
        for name, value in shown.items()
        if value is not None
    ]
    kept = [row for row in rows if row["day"] > today - DAYS]
    write_parquet(folder / HISTORY, pa.Table.from_pylist(kept, _DAYS))
