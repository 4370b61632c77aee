"""Rows that cannot be used: counted, refused where they are too many, written down with their source and reason."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from pinsage.catalog.schema import PUBLISHED_QUARANTINE
from pinsage.errors import DatasetError, PinSageError
from pinsage.ingest.engine import Engine
from pinsage.ingest.records import json_records
from pinsage.ingest.source.table import SourceTable
from pinsage.store.parquet_files import write_tables

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TableCount:
    """The row counts of one table; `cut` counts its texts that were cut, in rows that are kept or not."""

    table: str
    rows_in: int
    kept: int
    quarantined: int
    later: int
    cut: int = 0

    def check(self) -> None:
        """Make sure that every row is accounted for.

        Raises:
            PinSageError: rows were lost or doubled.
        """
        if self.rows_in != self.kept + self.quarantined + self.later:
            raise PinSageError(
                f"{self.table}: {self.rows_in:,} rows came in, but {self.kept:,} kept + {self.quarantined:,} "
                f"quarantined + {self.later:,} later than as_of do not add up. Run again on data that nobody writes to."
            )


class Quarantine:
    """The quarantine table of one ingest, taken from the engine's tables `bad_<name>`.

    Each has `row`, `reason`, and the columns that make its record. Tables are named after what their rows are, e.g.
    "saves" or "pictures".
    """

    def __init__(self, engine: Engine, max_bad_share: float) -> None:
        self.engine, self.max_bad_share = engine, max_bad_share
        self._sources: dict[str, SourceTable] = {}
        engine.run("CREATE TABLE files (name VARCHAR, file VARCHAR, first_row BIGINT)")

    def take(self, name: str, source: SourceTable, *, exist: int) -> int:
        """Take up the rows of `bad_<name>` and return how many they are.

        Args:
            name: what the rows are.
            source: where they were read, to name file and row.
            exist: how many rows there are, used or not; later ones do not exist.

        Raises:
            DatasetError: they are more than `max_bad_share` of the rows that are there.
        """
        self._sources[name] = source
        files = _files(name, source)
        with self.engine.source(files.schema, files.to_batches()):
            self.engine.run("INSERT INTO files FROM source")
        reasons = self.engine.rows(
            f"SELECT reason, count(*), min(row) FROM bad_{name} GROUP BY reason ORDER BY count(*) DESC, reason"
        )
        bad = sum(int(count) for _, count, _ in reasons)
        if bad > self.max_bad_share * exist:
            raise DatasetError(self._sentence(name, reasons[0], bad, exist))
        for reason, count, _ in reasons:
            log.warning("%s: %d of %d rows quarantined: %s", name, count, exist, reason)
        return bad

    def write(self, path: Path) -> None:
        """Write the quarantine table, sorted by table, file and row."""
        rows = (table for name in sorted(self._sources) for table in self._rows(name))
        write_tables(path, rows, PUBLISHED_QUARANTINE)

    def _rows(self, name: str, condition: str = "true") -> Iterator[pa.Table]:
        """The rows of a table in the form in which they are published."""
        found = self.engine.tables(
            f"""
            SELECT file, bad.row - first_row AS place, bad.* EXCLUDE (row)
            FROM bad_{name} AS bad ASOF JOIN (FROM files WHERE name = '{name}') AS files ON bad.row >= first_row
            WHERE {condition}
            ORDER BY bad.row
            """
        )
        for rows in found:
            part = rows.combine_chunks()
            file, place, reason, *values = (column.combine_chunks() for column in part.columns)
            record = json_records(dict(zip(part.column_names[3:], values, strict=True)))
            columns = [pa.repeat(name, len(part)), file, place, reason, record]
            yield pa.table(columns, names=PUBLISHED_QUARANTINE.names)

    def _sentence(self, name: str, most: tuple[str, int, int], bad: int, exist: int) -> str:
        reason, count, row = most
        (first,) = next(iter(self._rows(name, f"bad.row = {row}"))).to_pylist()
        return (
            f"{name}: {bad:,} of {exist:,} rows ({100 * bad / exist:.1f} %) cannot be used, "
            f"more than {100 * self.max_bad_share:g} %; most often '{reason}' ({count:,} rows, first in "
            f"{first['source']!a}, row {first['row']}: {first['record']}). "
            "Correct the export, or raise data.max_bad_share."
        )


def _files(name: str, source: SourceTable) -> pa.Table:
    """The files that have rows, and the number of the first; one without rows begins where the next one does."""
    files = zip(source.files, source.first_rows, source.layouts, strict=True)
    rows = [{"name": name, "file": file.name, "first_row": first} for file, first, layout in files if sum(layout.rows)]
    return pa.Table.from_pylist(rows)
