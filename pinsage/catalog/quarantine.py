"""Rows that cannot be used: judged once, counted, written down with their source and their reason.

Q rows are quarantined. They are kept as columns, about a hundred bytes each, and no more of them than are tolerated.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pinsage.catalog.dataset import SourceTable
from pinsage.catalog.parquet_files import ROW_GROUP_ROWS, write_tables
from pinsage.catalog.schema import PUBLISHED_QUARANTINE
from pinsage.errors import DatasetError, PinSageError

log = logging.getLogger(__name__)

LEFT_OUT = 255
REASON = pa.dictionary(pa.int32(), pa.string())
Records = Callable[[NDArray[np.int64]], pa.Array]


class Verdicts:
    """For each of N rows the first reason why it is not used, if there is one."""

    def __init__(self, num_rows: int) -> None:
        self._codes: NDArray[np.uint8] = np.zeros(num_rows, np.uint8)
        self._reasons = [""]

    def mark(self, rows: NDArray[np.bool_] | NDArray[np.int64], reason: str) -> None:
        """Give `reason` to the rows (a bool mask [N], or row numbers) that have none yet."""
        chosen = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        self._reasons.append(reason)
        self._codes[chosen[self._codes[chosen] == 0]] = len(self._reasons) - 1

    def leave_out(self, rows: NDArray[np.bool_]) -> None:
        """Count the rows (bool mask [N]) that have no verdict yet as not there: neither kept nor quarantined."""
        self._codes[rows & (self._codes == 0)] = LEFT_OUT

    @property
    def num_rows(self) -> int:
        """N."""
        return len(self._codes)

    @property
    def num_left_out(self) -> int:
        """Rows that count as not there."""
        return int((self._codes == LEFT_OUT).sum())

    @property
    def kept(self) -> NDArray[np.bool_]:
        """bool [N]: the row is there, with no reason against it."""
        is_kept: NDArray[np.bool_] = self._codes == 0
        return is_kept

    @property
    def rejected(self) -> NDArray[np.int64]:
        """int64: the rows with a reason against them, ascending."""
        return np.flatnonzero((self._codes != 0) & (self._codes != LEFT_OUT))

    def rows(self, reason: str) -> NDArray[np.int64]:
        """int64: the rows with this reason, ascending."""
        return np.flatnonzero(self._codes == self._reasons.index(reason))

    def reasons(self, rows: NDArray[np.int64]) -> pa.Array:
        """The reason against each of these rows, as a dictionary array."""
        return pa.DictionaryArray.from_arrays(self._codes[rows].astype(np.int32), pa.array(self._reasons))


@dataclass(frozen=True)
class TableCount:
    """What became of the rows of one table."""

    table: str
    rows_in: int
    kept: int
    quarantined: int
    later: int

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


@dataclass
class Rejects:
    """The rows of one table that cannot be used, gathered piece by piece: row, reason and record of each.

    Once they are more than `most`, the table will be refused: from then on only the first row of each reason is kept.
    """

    most: float
    counts: dict[str, int] = field(default_factory=dict)
    _parts: list[pa.Table] = field(default_factory=list)

    @property
    def num(self) -> int:
        """Q, all of them."""
        return sum(self.counts.values())

    def add(self, rows: NDArray[np.int64], reasons: pa.Array, records: Records) -> None:
        """Take up rows (int64 [n]) with their reasons (a dictionary array [n]).

        Args:
            rows: their numbers in the table.
            reasons: the reason against each.
            records: given positions in `rows`, what is worth keeping of these, as large_string.
        """
        codes, names = reasons.indices.to_numpy(), reasons.dictionary.to_pylist()
        present, first, tally = np.unique(codes, return_index=True, return_counts=True)
        new = [place for code, place in zip(present, first, strict=True) if names[code] not in self.counts]
        for code, count in zip(present.tolist(), tally.tolist(), strict=True):
            self.counts[names[code]] = self.counts.get(names[code], 0) + count
        chosen = np.arange(len(rows)) if self.num <= self.most else np.array(sorted(new), np.int64)
        if len(chosen):
            columns = [pa.array(rows[chosen]), reasons.take(pa.array(chosen)), records(chosen)]
            self._parts.append(pa.table(columns, names=["row", "reason", "record"]))

    def table(self) -> pa.Table:
        """`row` int64 (ascending), `reason`, `record` of all that were kept."""
        schema = pa.schema([("row", pa.int64()), ("reason", REASON), ("record", pa.large_string())])
        rows = pa.concat_tables([schema.empty_table(), *self._parts]).unify_dictionaries()
        return rows.take(pa.array(np.argsort(rows.column("row").to_numpy(), kind="stable")))


class Quarantine:
    """The quarantine table of one ingest, filled table by table."""

    def __init__(self, max_bad_share: float) -> None:
        self.max_bad_share = max_bad_share
        self._tables: dict[str, list[pa.Table]] = {}

    def rejects(self, num_rows: int) -> Rejects:
        """An empty list for a table of so many rows, which stops to grow when too many of them are bad."""
        return Rejects(self.max_bad_share * num_rows)

    def judged(self, verdicts: Verdicts, records: Records) -> Rejects:
        """The rows of a table that was judged as a whole; `records` is given their numbers."""
        rows, rejects = verdicts.rejected, self.rejects(verdicts.num_rows)
        rejects.add(rows, verdicts.reasons(rows), lambda chosen: records(rows[chosen]))
        return rejects

    def take(self, name: str, source: SourceTable, rejects: Rejects, *, exist: int) -> int:
        """Write down every rejected row and return how many they are.

        Args:
            name: what the rows are, e.g. "saves" or "pictures".
            source: where they were read, to name file and row.
            rejects: the rows that cannot be used.
            exist: how many rows there are, used or not; later ones do not exist.

        Raises:
            DatasetError: they are more than `max_bad_share` of the rows that are there.
        """
        self.check_share(name, source, rejects, exist=exist)
        for reason, count in _by_count(rejects):
            log.warning("%s: %d of %d rows quarantined: %s", name, count, exist, reason)
        self._tables.setdefault(name, []).append(_named(source, rejects.table()))
        return rejects.num

    def check_share(self, name: str, source: SourceTable, rejects: Rejects, *, exist: int) -> None:
        """Refuse a table with too many bad rows; the same as in `take`.

        Raises:
            DatasetError: they are more than `max_bad_share` of the rows that are there.
        """
        if rejects.num <= self.max_bad_share * exist:
            return
        rows = rejects.table()
        reason, count = _by_count(rejects)[0]
        place = rows.column("reason").cast(pa.string()).combine_chunks().index(reason).as_py()
        file, row = source.places(rows.column("row").to_numpy()[place : place + 1])
        raise DatasetError(
            f"{name}: {rejects.num:,} of {exist:,} rows ({100 * rejects.num / exist:.1f} %) cannot be used, "
            f"more than {100 * self.max_bad_share:g} %; most often '{reason}' ({count:,} rows, first in "
            f"{source.files[file[0]].name!a}, row {row[0]}: {rows.column('record')[place].as_py()}). "
            "Correct the export, or raise data.max_bad_share."
        )

    def write(self, path: Path) -> None:
        """Write the quarantine table, sorted by table, file and row."""
        write_tables(path, self._ordered(), PUBLISHED_QUARANTINE)

    def _ordered(self) -> Iterator[pa.Table]:
        for name in sorted(self._tables):
            rows = pa.concat_tables(self._tables[name]).unify_dictionaries()
            for start in range(0, rows.num_rows, ROW_GROUP_ROWS):
                part = rows.slice(start, ROW_GROUP_ROWS)
                yield part.add_column(0, "table", pa.repeat(name, part.num_rows))


def _by_count(rejects: Rejects) -> list[tuple[str, int]]:
    return sorted(rejects.counts.items(), key=lambda item: (-item[1], item[0]))


def _named(source: SourceTable, rejected: pa.Table) -> pa.Table:
    files, places = source.places(rejected.column("row").to_numpy())
    names = pa.array([file.name for file in source.files], pa.string())
    found = pa.DictionaryArray.from_arrays(files.astype(np.int32), names)
    return pa.table(
        {"source": found, "row": places, "reason": rejected.column("reason"), "record": rejected.column("record")}
    )
