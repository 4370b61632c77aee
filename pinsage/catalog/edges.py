"""Saves and engagements: which rows are kept, as pairs of node numbers with a time.

N rows come in, S are kept.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pinsage.catalog.columns import IdColumn
from pinsage.catalog.dataset import SourceTable
from pinsage.catalog.nodes import judge_ids
from pinsage.catalog.point_in_time import FIRST_TIME, PointInTime, iso
from pinsage.catalog.quarantine import Quarantine, TableCount, Verdicts
from pinsage.catalog.schema import PUBLISHED_ENGAGEMENTS, PUBLISHED_SAVES

UNKNOWN = np.iinfo(np.int64).min  # sorts before every time


@dataclass(frozen=True)
class Edges:
    """The kept rows of `saves` or `engagements`: a table with the published schema and its count."""

    table: pa.Table
    count: TableCount


@dataclass(frozen=True)
class Judge:
    """What every row of an edge table is held against."""

    point: PointInTime
    max_id_length: int
    quarantine: Quarantine


@dataclass(frozen=True)
class _Rows:
    """N raw rows: two ids each, the numbers of these (int32 [N], -1 unknown) and times (int64 [N], or UNKNOWN)."""

    source: SourceTable
    ids: tuple[IdColumn, IdColumn]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    times: NDArray[np.int64]

    def record(self, row: int) -> dict[str, Any]:
        time, spec = int(self.times[row]), self.source.spec
        known = {name: ids.text(row) for name, ids in zip(spec.ids, self.ids, strict=True)}
        return {**known, spec.time: None if time == UNKNOWN else iso(time)}


def keep_saves(source: SourceTable, judge: Judge, *, board_ids: pa.Array, pin_ids: pa.Array) -> Edges:
    """The usable saves: unique (board, pin), the earliest of each; sorted by board, time (unknown first) and pin.

    Raises:
        DatasetError: too many rows cannot be used.
    """
    rows = _read(source, board_ids, pin_ids)
    verdicts = _judged(rows, judge)
    verdicts.mark(_repeated(rows, np.flatnonzero(verdicts.kept)), "duplicate save")
    keys = (rows.right, rows.times, rows.left)
    return _published(rows, judge, verdicts, keys, PUBLISHED_SAVES)


def keep_engagements(source: SourceTable, judge: Judge, *, pin_ids: pa.Array) -> Edges:
    """The usable engagements, repeated ones included, sorted by query, positive and time.

    Raises:
        DatasetError: too many rows cannot be used.
    """
    rows = _read(source, pin_ids, pin_ids)
    keys = (rows.times, rows.right, rows.left)
    return _published(rows, judge, _judged(rows, judge), keys, PUBLISHED_ENGAGEMENTS)


def _read(source: SourceTable, left: pa.Array, right: pa.Array) -> _Rows:
    spec = source.spec
    table = source.read([*spec.ids, spec.time])
    ids = IdColumn.of(table.column(0)), IdColumn.of(table.column(1))
    times = table.column(spec.time).fill_null(UNKNOWN).to_numpy()
    return _Rows(source, ids, ids[0].rows_in(left), ids[1].rows_in(right), times)


def _judged(rows: _Rows, judge: Judge) -> Verdicts:
    """Time first: a row later than as_of does not exist, whatever else is wrong with it."""
    spec, verdicts = rows.source.spec, Verdicts(rows.source.num_rows)
    verdicts.mark(rows.times >= judge.point.future, f"{spec.time} is in the future")
    if judge.point.as_of is not None:
        verdicts.leave_out(rows.times > judge.point.as_of)
    verdicts.mark((rows.times < FIRST_TIME) & (rows.times != UNKNOWN), f"{spec.time} is before the year 1")
    for ids, numbers, name in zip(rows.ids, (rows.left, rows.right), spec.ids, strict=True):
        judge_ids(verdicts, ids, name=name, max_length=judge.max_id_length)
        verdicts.mark(numbers < 0, f"unknown {name}")
    return verdicts


def _repeated(rows: _Rows, kept: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of the rows `kept`, those whose save has an earlier row; a row without a time comes after those with one."""
    keys = (rows.left[kept].astype(np.int64) << 32) | rows.right[kept]
    ordered = np.sort(keys)
    doubled = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    is_doubled = np.isin(keys, doubled)  # few, so that the full order below is cheap
    kept, keys = kept[is_doubled], keys[is_doubled]
    known_first = np.where(rows.times[kept] == UNKNOWN, np.iinfo(np.int64).max, rows.times[kept])
    order = np.lexsort((known_first, keys))
    is_later = np.append(False, keys[order][1:] == keys[order][:-1])[: len(order)]
    later: NDArray[np.int64] = kept[order[is_later]]
    return later


def _published(
    rows: _Rows, judge: Judge, verdicts: Verdicts, keys: tuple[NDArray[np.integer], ...], schema: pa.Schema
) -> Edges:
    """The kept rows in the order of `keys` (the last is the first to sort by), with the columns of `schema`."""
    spec = rows.source.spec
    quarantined = judge.quarantine.take(spec.name, rows.source, verdicts=verdicts, record=rows.record)
    kept = np.flatnonzero(verdicts.kept)
    kept = kept[np.lexsort(tuple(key[kept] for key in keys))]
    times = pa.array(rows.times[kept], pa.int64(), mask=rows.times[kept] == UNKNOWN)
    arrays = [pa.array(rows.left[kept]), pa.array(rows.right[kept]), times.cast(schema.types[2])]
    table = pa.table(arrays, schema=schema)
    count = TableCount(spec.name, rows.source.num_rows, table.num_rows, quarantined, verdicts.num_left_out)
    count.check()
    return Edges(table, count)
