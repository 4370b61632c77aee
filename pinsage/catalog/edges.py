"""Saves and engagements: which rows are kept, as pairs of node numbers with a time.

N rows come in, S are kept. Every row is read once, looked at in its batch, and dealt to its place (`edge_order.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pinsage.catalog.columns import decoded
from pinsage.catalog.dataset import SourceTable
from pinsage.catalog.edge_order import UNKNOWN, EdgeBuckets, Edges, ReadEdges
from pinsage.catalog.id_table import IdTable
from pinsage.catalog.nodes import judge_ids
from pinsage.catalog.parquet_files import write_tables
from pinsage.catalog.point_in_time import FIRST_TIME, PointInTime
from pinsage.catalog.quarantine import Quarantine, Rejects, TableCount, Verdicts
from pinsage.catalog.read_ahead import ahead
from pinsage.catalog.records import iso, iso_times, json_records
from pinsage.catalog.schema import PUBLISHED_ENGAGEMENTS, PUBLISHED_SAVES, WEIGHT
from pinsage.errors import DatasetError

NO_WEIGHT = 1.0  # what a weight that is null means
MAX_WEIGHT = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Judge:
    """What every row of an edge table is held against."""

    point: PointInTime
    max_id_length: int
    quarantine: Quarantine


@dataclass(frozen=True)
class Ends:
    """The nodes that an id column of an edge table may name: their ids by number, and a table to find them."""

    ids: pa.Array
    table: IdTable

    @classmethod
    def of(cls, ids: pa.Array) -> "Ends":
        """The nodes with these ids (strings [P])."""
        return cls(ids, IdTable.of(ids))


def keep_saves(source: SourceTable, judge: Judge, *, boards: Ends, pins: Ends, out: Path) -> TableCount:
    """Write the usable saves: unique (board, pin), the earliest of each; by board, time (unknown first) and pin.

    Raises:
        DatasetError: too many rows cannot be used, or none is left.
    """
    reading = _Reading(source, judge, (boards, pins))
    buckets, later = reading.dealt()
    schema = PUBLISHED_SAVES.append(WEIGHT) if reading.has_weights else PUBLISHED_SAVES
    written = write_tables(out, ahead(_table(edges, schema) for edges in reading.unique(buckets)), schema)
    return reading.count(written, later)


def keep_engagements(source: SourceTable, judge: Judge, *, pins: Ends, out: Path) -> TableCount:
    """Write the usable engagements, repeated ones included, by query, positive and time.

    Raises:
        DatasetError: too many rows cannot be used.
    """
    reading = _Reading(source, judge, (pins, pins))
    buckets, later = reading.dealt()
    tables = (_table(edges, PUBLISHED_ENGAGEMENTS) for edges in buckets.all())
    return reading.count(write_tables(out, ahead(tables), PUBLISHED_ENGAGEMENTS), later)


class _Reading:
    """One pass over an edge table of N rows, and what it rejects."""

    def __init__(self, source: SourceTable, judge: Judge, ends: tuple[Ends, Ends]) -> None:
        self.source, self.judge, self.ends, self.spec = source, judge, ends, source.spec
        self.has_weights = source.spec.weight in source.present
        self.rejects: Rejects = judge.quarantine.rejects(source.num_rows)
        as_of, future = judge.point.as_of, judge.point.future
        self.last_time = future - 1 if as_of is None else min(as_of, future - 1)

    def dealt(self) -> tuple[EdgeBuckets, int]:
        """The usable rows, repeated ones included, in buckets; and how many are later than as_of.

        Raises:
            DatasetError: too many rows cannot be used, even before repeated ones are counted.
        """
        later, sizes = 0, [len(ends.ids) for ends in self.ends]
        buckets = EdgeBuckets(sizes[0], sizes[1], self.source.num_rows)
        names = [column.name for column in self.spec.columns]
        for start, batch in ahead(self.source.batches(names)):
            edges = self._edges(start, batch)
            is_odd = self._is_odd(edges)
            buckets.deal(edges, ~is_odd)
            odd = np.flatnonzero(is_odd)
            if len(odd):
                later += self._reject(odd + start, batch.take(pa.array(odd)), edges, odd)
        exist = self.source.num_rows - later
        self.judge.quarantine.check_share(self.spec.name, self.source, self.rejects, exist=exist)
        return buckets, later

    def unique(self, buckets: EdgeBuckets) -> Iterator[Edges]:
        """The dealt edges, each once and in order; those that repeat one are rejected."""
        for edges, again in buckets.unique():
            if len(again):
                reasons = pa.DictionaryArray.from_arrays(np.zeros(len(again), np.int32), pa.array(["duplicate save"]))
                self.rejects.add(again["row"].astype(np.int64), reasons, partial(self._repeated, again))
            yield edges

    def count(self, kept: int, later: int) -> TableCount:
        """What became of the rows, after the rejected ones went into quarantine.

        Raises:
            DatasetError: too many rows cannot be used.
            PinSageError: rows were lost or doubled.
        """
        exist, name = self.source.num_rows - later, self.spec.name
        quarantined = self.judge.quarantine.take(name, self.source, self.rejects, exist=exist)
        count = TableCount(name, self.source.num_rows, kept, quarantined, later)
        count.check()
        return count

    def _edges(self, start: int, batch: pa.RecordBatch) -> ReadEdges:
        left, right = (ends.table.rows(batch.column(place)) for place, ends in enumerate(self.ends))
        times = batch.column(2).fill_null(UNKNOWN).to_numpy()
        return ReadEdges(left, right, times, self._weights(batch), start)

    def _weights(self, batch: pa.RecordBatch) -> NDArray[np.float32]:
        if not self.has_weights:
            return np.ones(batch.num_rows, np.float32)
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and is judged
            weights: NDArray[np.float32] = batch.column(3).fill_null(NO_WEIGHT).to_numpy().astype(np.float32)
        return weights

    def _is_odd(self, edges: ReadEdges) -> NDArray[np.bool_]:
        is_dated = (edges.times >= FIRST_TIME) & (edges.times <= self.last_time) | (edges.times == UNKNOWN)
        is_odd: NDArray[np.bool_] = ~is_dated | (edges.left < 0) | (edges.right < 0)
        return is_odd | ~_is_positive(edges.weights) if self.has_weights else is_odd

    def _reject(self, rows: NDArray[np.int64], batch: pa.RecordBatch, edges: ReadEdges, odd: NDArray[np.int64]) -> int:
        """Judge the odd rows of a batch one reason after the other; return how many are later than as_of."""
        verdicts = self._judged(batch, edges, odd)
        rejected = verdicts.rejected
        self.rejects.add(
            rows[rejected], verdicts.reasons(rejected), lambda chosen: self._record(batch, rejected[chosen])
        )
        return verdicts.num_left_out

    def _judged(self, batch: pa.RecordBatch, edges: ReadEdges, odd: NDArray[np.int64]) -> Verdicts:
        """Time first: a row later than as_of does not exist, whatever else is wrong with it."""
        spec, point, times, verdicts = self.spec, self.judge.point, edges.times[odd], Verdicts(len(odd))
        verdicts.mark(times >= point.future, f"{spec.time} is in the future")
        if point.as_of is not None:
            self._check_newest(times)
            verdicts.leave_out(times > point.as_of)
        verdicts.mark((times < FIRST_TIME) & (times != UNKNOWN), f"{spec.time} is before the year 1")
        for place, (name, numbers) in enumerate(zip(spec.ids, (edges.left, edges.right), strict=True)):
            ids = decoded(batch.column(place)).cast(pa.large_string())
            judge_ids(verdicts, ids, name=name, max_length=self.judge.max_id_length)
            verdicts.mark(numbers[odd] < 0, f"unknown {name}")
        if self.has_weights:
            verdicts.mark(~_is_positive(edges.weights[odd]), f"{spec.weight} is not a positive number")
        return verdicts

    def _check_newest(self, times: NDArray[np.int64]) -> None:
        """Footers told the newest time; a file that holds a later one would lose rows to a damaged statistic."""
        point = self.judge.point
        newest = int(times.max(where=times < point.future, initial=UNKNOWN))
        if point.newest is not None and newest > point.newest:
            raise DatasetError(
                f"{self.spec.name}: a row has {self.spec.time} = {iso(newest)}, but the statistics in the footers end "
                f"at {iso(point.newest)}. Export the table again."
            )

    def _record(self, batch: pa.RecordBatch, rows: NDArray[np.int64]) -> pa.Array:
        chosen = batch.take(pa.array(rows))
        ids = {name: decoded(chosen.column(place)) for place, name in enumerate(self.spec.ids)}
        times = chosen.column(2)
        known = times.is_valid().to_numpy(zero_copy_only=False)
        columns = ids | {self.spec.time: iso_times(times.fill_null(0).to_numpy(), known)}
        return json_records(columns | ({self.spec.weight: chosen.column(3)} if self.has_weights else {}))

    def _repeated(self, again: Edges, chosen: NDArray[np.int64]) -> pa.Array:
        rows = again[chosen]
        sides = zip(self.spec.ids, self.ends, (rows["left"], rows["right"]), strict=True)
        ids = {name: ends.ids.take(pa.array(numbers)) for name, ends, numbers in sides}
        columns = ids | {self.spec.time: iso_times(rows["time"], rows["time"] != UNKNOWN)}
        weights = {self.spec.weight: pa.array(rows["weight"].astype(np.float64))} if self.has_weights else {}
        return json_records(columns | weights)


def _is_positive(weights: NDArray[np.float32]) -> NDArray[np.bool_]:
    is_positive: NDArray[np.bool_] = (weights > 0) & (weights <= MAX_WEIGHT)  # NaN is neither
    return is_positive


def _table(edges: Edges, schema: pa.Schema) -> pa.Table:
    left, right, time, weight = (np.ascontiguousarray(edges[name]) for name in ("left", "right", "time", "weight"))
    times = pa.array(time, pa.int64(), mask=time == UNKNOWN).cast(schema.types[2])
    return pa.table([pa.array(left), pa.array(right), times, pa.array(weight)][: len(schema)], schema=schema)


def check_some_left(count: TableCount, point: PointInTime) -> None:
    """Refuse a data set of which no save is left.

    Raises:
        DatasetError: nothing is left at as_of.
    """
    if not count.kept:
        raise DatasetError(
            f"saves: none of {count.rows_in:,} rows is left at as_of = {point.as_of_text() or 'now'} "
            f"({count.later:,} are later). Choose a later data.as_of, or check the export."
        )
