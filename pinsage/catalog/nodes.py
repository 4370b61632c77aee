"""Pins and boards: which rows are kept, and which number each one gets.

N rows come in, P are kept; row i of the result is node i, by ascending id.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pinsage.catalog.columns import IdColumn
from pinsage.catalog.dataset import SourceTable
from pinsage.catalog.quarantine import Quarantine, TableCount, Verdicts

CONTROL = r"[\p{Cc}\p{Zl}\p{Zp}]"
Digests = Callable[[NDArray[np.int64]], Mapping[int, str]]


@dataclass(frozen=True)
class Nodes:
    """The kept rows of `pins` or `boards`.

    `table` [P] is sorted by id; `rows` int64 [P] are the rows of the source they came from.
    """

    table: pa.Table
    rows: NDArray[np.int64]
    count: TableCount

    @property
    def ids(self) -> pa.Array:
        """string [P]: the ids, ascending."""
        return self.table.column(0).combine_chunks()


def no_digests(rows: NDArray[np.int64]) -> Mapping[int, str]:
    """No digest for any row: the table has no pictures."""
    return {}


def keep_nodes(
    source: SourceTable, quarantine: Quarantine, *, max_id_length: int, names: list[str], digests: Digests = no_digests
) -> Nodes:
    """The rows of a table of pins or boards that can be used, numbered by ascending id.

    Of rows with the same id one is kept, chosen by its content, so that neither the order of the rows nor the files
    they lie in can change the result.

    Args:
        source: the table.
        quarantine: takes the other rows.
        max_id_length: in characters.
        names: the columns to keep, the id first.
        digests: for rows with a doubled id, what their pictures are (to choose between them).

    Raises:
        DatasetError: too many rows cannot be used.
    """
    table = source.read(names)
    ids, name = IdColumn.of(table.column(0)), names[0]
    verdicts = Verdicts(source.num_rows)
    judge_ids(verdicts, ids, name=name, max_length=max_id_length)
    verdicts.mark(_losers(table, ids, verdicts.kept, digests), f"duplicate {name}")
    quarantined = quarantine.take(source.spec.name, source, verdicts=verdicts, record=lambda row: _record(table, row))
    rows = np.flatnonzero(verdicts.kept)
    kept = table.take(pa.array(rows)).set_column(0, name, ids.values.take(pa.array(ids.codes[rows])))
    order = pc.sort_indices(kept.column(0))
    count = TableCount(source.spec.name, source.num_rows, kept.num_rows, quarantined, 0)
    count.check()
    return Nodes(kept.take(order), rows[order.to_numpy()], count)


def judge_ids(verdicts: Verdicts, ids: IdColumn, *, name: str, max_length: int) -> None:
    """Speak against null, empty and over-long ids and those with control characters."""
    verdicts.mark(ids.is_null(), f"{name} is null")
    lengths = pc.utf8_length(ids.values)
    verdicts.mark(ids.matches(pc.equal(lengths, 0)), f"{name} is empty")
    verdicts.mark(ids.matches(pc.greater(lengths, max_length)), f"{name} is longer than {max_length} characters")
    verdicts.mark(ids.matches(pc.match_substring_regex(ids.values, CONTROL)), f"{name} holds control characters")


def _losers(table: pa.Table, ids: IdColumn, kept: NDArray[np.bool_], digests: Digests) -> NDArray[np.int64]:
    """The rows whose id another row wins: the one with the smallest digest of its content."""
    times = np.bincount(ids.codes[kept], minlength=len(ids.values))
    doubled = np.flatnonzero(kept & np.append(times > 1, False)[ids.codes])
    if not len(doubled):
        return doubled
    pictures, winners = digests(doubled), dict[int, tuple[str, int]]()
    for row in doubled.tolist():
        content = [_full(table, row), pictures.get(row, "")]
        digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()
        code = int(ids.codes[row])
        winners[code] = min(winners.get(code, (digest, row)), (digest, row))
    return np.setdiff1d(doubled, [row for _, row in winners.values()])


def _full(table: pa.Table, row: int) -> dict[str, Any]:
    return {name: table.column(name)[row].as_py() for name in table.column_names}


def _record(table: pa.Table, row: int) -> dict[str, Any]:
    """The id and the title of a row: enough to find it again."""
    return {name: table.column(name)[row].as_py() for name in table.column_names[:2]}
