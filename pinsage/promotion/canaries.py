"""Canaries: pins whose neighbors the owner of the data knows, in a small table of theirs.

| column | |
|---|---|
| `pin_id` | the pin that is asked |
| `neighbor_pin_id` | the pin that must be among its related pins |
| `within` | how many of the first related pins; 10 where the column is missing |
"""

from collections.abc import Iterator
from dataclasses import dataclass

import fsspec
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from pinsage.errors import InputError
from pinsage.release.difference import DEPTH, Related

MOST_ROWS = 10_000
MOST_WITHIN = 1000
SHOWN_CHARACTERS = 200
_COLUMNS, _WITHIN = ("pin_id", "neighbor_pin_id"), "within"


@dataclass(frozen=True)
class Canary:
    """A pin, and one that must be among its first `within` related pins."""

    pin_id: str
    neighbor_pin_id: str
    within: int = DEPTH


def read_canaries(url: str) -> list[Canary]:
    """The canaries in a table.

    Args:
        url: a Parquet file, or a CSV file with a header; a path or an fsspec URL.

    Raises:
        InputError: it cannot be read, lacks a column, or holds a value that is none.
    """
    table = _read(url)
    for name in _COLUMNS:
        if table.column_names.count(name) != 1:
            there = "no" if name not in table.column_names else "more than one"
            raise InputError(f"The canaries in {url} have {there} column '{name}'. They need {' and '.join(_COLUMNS)}.")
    if len(table) > MOST_ROWS:
        raise InputError(
            f"There are {len(table):,} canaries in {url}, and {MOST_ROWS:,} may be. Keep those that matter."
        )
    columns = [table.column(name).to_pylist() for name in _COLUMNS]
    within = table.column(_WITHIN).to_pylist() if _WITHIN in table.column_names else [DEPTH] * len(table)
    return [_canary(row, place, url) for place, row in enumerate(zip(*columns, within, strict=True), 1)]


def failures(canaries: list[Canary], model: Related) -> Iterator[str]:
    """A sentence for each canary that does not hold."""
    for canary in canaries:
        missing = [pin_id for pin_id in (canary.pin_id, canary.neighbor_pin_id) if model.pin_ids.find(pin_id) is None]
        if missing:
            yield f"The catalog has no pin {missing[0]!r}."
        elif canary.neighbor_pin_id not in model.related(canary.pin_id, canary.within).pin_ids:
            yield f"{canary.neighbor_pin_id!r} is not among the first {canary.within} of {canary.pin_id!r}."


def _read(url: str) -> pa.Table:
    try:
        filesystem, path = fsspec.core.url_to_fs(url)
        # Not opened before it is looked at: a named pipe would keep us waiting for ever.
        if filesystem.info(path)["type"] != "file":
            raise ValueError("it is no file")
        with filesystem.open(path, "rb") as file:
            # Ids are text, whatever they look like: 007 is not 7.
            as_text = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(_COLUMNS, pa.string()))
            table = pyarrow.csv.read_csv(file, convert_options=as_text) if url.endswith(".csv") else pq.read_table(file)
        table.validate(full=True)  # Arrow does not look at the bytes of texts when it reads Parquet
        return table
    except (OSError, ValueError, ImportError) as error:  # Arrow's errors are among them
        fact = str(error).partition("\n")[0][:SHOWN_CHARACTERS]
        raise InputError(f"The canaries in {url} cannot be read ({fact!a}). Check promote.canaries.") from None


def _canary(row: tuple[object, ...], place: int, url: str) -> Canary:
    pin_id, neighbor, within = row
    is_count = isinstance(within, int) and not isinstance(within, bool) and 1 <= within <= MOST_WITHIN
    if not pin_id or not neighbor or not is_count:
        raise InputError(
            f"Row {place} of the canaries in {url} is {ascii(row)[:SHOWN_CHARACTERS]}: it needs two pin ids and a "
            f"`within` of 1 to {MOST_WITHIN}."
        )
    return Canary(str(pin_id), str(neighbor), int(str(within)))
