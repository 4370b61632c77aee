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
NAMED = pa.schema(
    [("source", pa.string()), ("row", pa.int64()), ("reason", pa.string()), ("record", pa.large_string())]
)
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


@dataclass(frozen=True)
class Origins:
    """Where the rows of a table were read: first those that an earlier catalog had to leave, then those of `source`.

    `earlier` has the columns `source` and `row`; rows are numbered through both.
    """

    source: SourceTable
    earlier: pa.Table | None = None

    @property
    def num_earlier(self) -> int:
        """Rows that were read by an earlier ingest."""
        return self.earlier.num_rows if self.earlier is not None else 0

    @property
    def num_rows(self) -> int:
        """All of them."""
        return self.num_earlier + self.source.num_rows

    def named(self, rows: NDArray[np.int64]) -> tuple[pa.Array, NDArray[np.int64]]:
        """The file of each row (a dictionary array) and its number in that file (int64); the rows are ascending."""
        files, places = self.source.places(rows[rows >= self.num_earlier] - self.num_earlier)
        new = pa.array([file.name for file in self.source.files], pa.string()).take(pa.array(files))
        if self.earlier is None:
            return new.dictionary_encode(), places
        old = self.earlier.take(pa.array(rows[rows < self.num_earlier]))
        names = pa.chunked_array([*old.column("source").chunks, new], pa.string()).combine_chunks()
        return names.dictionary_encode(), np.append(old.column("row").to_numpy(), places)


class Quarantine:
    """The quarantine table of one ingest, filled table by table."""

    def __init__(self, max_bad_share: float) -> None:
        self.max_bad_share = max_bad_share
        self._tables: dict[str, list[pa.Table]] = {}

    def adopt(self, name: str, rows: pa.Table) -> int:
        """Take over `source`, `row`, `reason` and `record` from an earlier catalog and return how many they are."""
        self._tables[name] = [rows]
        return int(rows.num_rows)

    def rejects(self, name: str, num_rows: int) -> Rejects:
        """An empty list for a table of so many rows, which stops to grow when too many of them are bad."""
        return Rejects(self.max_bad_share * num_rows - self._num_adopted(name))

    def judged(self, name: str, verdicts: Verdicts, records: Records, *, exist: int) -> Rejects:
        """The rows of a table that was judged as a whole; `records` is given their numbers."""
        rows, rejects = verdicts.rejected, self.rejects(name, exist)
        rejects.add(rows, verdicts.reasons(rows), lambda chosen: records(rows[chosen]))
        return rejects

    def take(self, name: str, origins: Origins, rejects: Rejects, *, exist: int) -> int:
        """Write down every rejected row and return how many they are, those adopted included.

        Args:
            name: what the rows are, e.g. "saves" or "pictures".
            origins: where they were read, to name file and row.
            rejects: the rows that cannot be used.
            exist: how many rows there are, used or not, adopted ones included; later ones do not exist.

        Raises:
            DatasetError: they are more than `max_bad_share` of the rows that are there.
        """
        self.check_share(name, origins, rejects, exist=exist)
        for reason, count in _by_count(rejects):
            log.warning("%s: %d of %d rows quarantined: %s", name, count, exist, reason)
        adopted = self._num_adopted(name)
        self._tables.setdefault(name, []).append(_named(origins, rejects.table()))
        return adopted + rejects.num

    def check_share(self, name: str, origins: Origins, rejects: Rejects, *, exist: int) -> None:
        """Refuse a table with too many bad rows; the same as in `take`.

        Raises:
            DatasetError: they are more than `max_bad_share` of the rows that are there.
        """
        bad = self._num_adopted(name) + rejects.num
        if bad <= self.max_bad_share * exist or not rejects.num:
            return
        rows = rejects.table()
        reason, count = _by_count(rejects)[0]
        place = rows.column("reason").cast(pa.string()).combine_chunks().index(reason).as_py()
        files, numbers = origins.named(rows.column("row").to_numpy()[place : place + 1])
        raise DatasetError(
            f"{name}: {bad:,} of {exist:,} rows ({100 * bad / exist:.1f} %) cannot be used, "
            f"more than {100 * self.max_bad_share:g} %; most often '{reason}' ({count:,} rows, first in "
            f"{files[0].as_py()!a}, row {numbers[0]}: {rows.column('record')[place].as_py()}). "
            "Correct the export, or raise data.max_bad_share."
        )

    def _num_adopted(self, name: str) -> int:
        return sum(rows.num_rows for rows in self._tables.get(name, []))

    def write(self, path: Path) -> None:
        """Write the quarantine table, sorted by table, file and row."""
        write_tables(path, self._ordered(), PUBLISHED_QUARANTINE)

    def _ordered(self) -> Iterator[pa.Table]:
        for name in sorted(self._tables):
            rows = _by_place(self._tables[name])
            for start in range(0, rows.num_rows, ROW_GROUP_ROWS):
                part = rows.slice(start, ROW_GROUP_ROWS)
                yield part.add_column(0, "table", pa.repeat(name, part.num_rows))


def _by_place(tables: list[pa.Table]) -> pa.Table:
    """The rows by file and number; those of one ingest are in order already."""
    if len(tables) == 1:
        return tables[0]
    rows = pa.concat_tables([table.cast(NAMED) for table in tables])
    return rows.sort_by([("source", "ascending"), ("row", "ascending")])


def _by_count(rejects: Rejects) -> list[tuple[str, int]]:
    return sorted(rejects.counts.items(), key=lambda item: (-item[1], item[0]))


def _named(origins: Origins, rejected: pa.Table) -> pa.Table:
    files, places = origins.named(rejected.column("row").to_numpy())
    columns = {"reason": rejected.column("reason"), "record": rejected.column("record")}
    return pa.table({"source": files, "row": places} | columns)
