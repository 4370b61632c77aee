"""Rows that cannot be used: judged once, counted, written down with their source and their reason."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pinsage.catalog.dataset import SourceTable
from pinsage.catalog.parquet_files import write_parquet
from pinsage.catalog.schema import PUBLISHED_QUARANTINE
from pinsage.errors import DatasetError, PinSageError

log = logging.getLogger(__name__)

LEFT_OUT = 255
MAX_VALUE_LENGTH = 200
Record = Callable[[int], Mapping[str, Any]]


class Verdicts:
    """For each of N rows of a table the first reason why it is not used, if there is one."""

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
    def num_left_out(self) -> int:
        """Rows that count as not there."""
        return int((self._codes == LEFT_OUT).sum())

    @property
    def kept(self) -> NDArray[np.bool_]:
        """bool [N]: the row is there, with no reason against it."""
        is_kept: NDArray[np.bool_] = self._codes == 0
        return is_kept

    def rows(self, reason: str) -> NDArray[np.int64]:
        """int64: the rows with this reason, ascending."""
        return np.flatnonzero(self._codes == self._reasons.index(reason))

    def counts(self) -> dict[str, int]:
        """How many rows each reason took, the most common first."""
        tally = np.bincount(self._codes, minlength=len(self._reasons)).tolist()
        counts = {reason: tally[code] for code, reason in enumerate(self._reasons) if code and tally[code]}
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


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


class Quarantine:
    """The quarantine table of one ingest, filled table by table."""

    def __init__(self, max_bad_share: float) -> None:
        self.max_bad_share = max_bad_share
        self._rows: list[dict[str, Any]] = []

    def take(self, name: str, source: SourceTable, *, verdicts: Verdicts, record: Record) -> int:
        """Write down every row that a verdict speaks against and return how many they are.

        Args:
            name: what the rows are, e.g. "saves" or "pictures".
            source: where they were read, to name file and row.
            verdicts: a verdict per row of `source`.
            record: the values of a row that are worth keeping.

        Raises:
            DatasetError: they are more than `max_bad_share` of the rows that are there.
        """
        counts, exist = verdicts.counts(), source.num_rows - verdicts.num_left_out
        bad = sum(counts.values())
        if bad > self.max_bad_share * exist:
            raise DatasetError(self._refusal(name, (bad, exist), source, verdicts, record))
        before = len(self._rows)
        for reason, count in counts.items():
            log.warning("%s: %d of %d rows quarantined: %s", name, count, exist, reason)
            rows = verdicts.rows(reason).tolist()
            self._rows.extend(_entry(name, source, row, reason, record(row)) for row in rows)
        return len(self._rows) - before

    def write(self, path: Path) -> None:
        """Write the quarantine table, sorted by table, file and row."""
        rows = sorted(self._rows, key=lambda row: (row["table"], row["source"], row["row"]))
        write_parquet(path, pa.Table.from_pylist(rows, schema=PUBLISHED_QUARANTINE))

    def _refusal(
        self, name: str, share: tuple[int, int], source: SourceTable, verdicts: Verdicts, record: Record
    ) -> str:
        bad, exist = share
        reason, count = next(iter(verdicts.counts().items()))
        first = int(verdicts.rows(reason)[0])
        file, row = source.place(first)
        return (
            f"{name}: {bad:,} of {exist:,} rows ({100 * bad / exist:.1f} %) cannot be used, "
            f"more than {100 * self.max_bad_share:g} %; most often '{reason}' "
            f"({count:,} rows, first in {file!a}, row {row}: {shortened(record(first))}). "
            "Correct the export, or raise data.max_bad_share."
        )


def shortened(record: Mapping[str, Any]) -> str:
    """A record as ASCII JSON with every value cut to 200 characters: safe in a log, however hostile the values."""
    return json.dumps({name: _short(value) for name, value in record.items()}, ensure_ascii=True)


def _short(value: Any) -> Any:
    text = value if isinstance(value, str) else None
    if text is not None and len(text) > MAX_VALUE_LENGTH:
        return f"{text[:MAX_VALUE_LENGTH]}… ({len(text):,} characters)"
    return value


def _entry(name: str, source: SourceTable, row: int, reason: str, record: Mapping[str, Any]) -> dict[str, Any]:
    file, place = source.place(row)
    return {"table": name, "source": file, "row": place, "reason": reason, "record": shortened(record)}
