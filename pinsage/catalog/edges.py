"""Saves and engagements: which rows are kept, as pairs of node numbers with a time.

N rows come in, S are kept. Every row is read once, looked at in its batch, and dealt to its place (`edge_order.py`).
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pinsage.catalog.columns import decoded
from pinsage.catalog.dataset import SourceTable
from pinsage.catalog.earlier import UNKNOWN_ID
from pinsage.catalog.edge_order import UNKNOWN, EdgeBuckets, Edges, ReadEdges
from pinsage.catalog.edge_rows import Ends, RowJudge
from pinsage.catalog.judge import Judge
from pinsage.catalog.parquet_files import write_tables
from pinsage.catalog.point_in_time import PointInTime
from pinsage.catalog.quarantine import Origins, TableCount
from pinsage.catalog.read_ahead import ahead
from pinsage.catalog.schema import PUBLISHED_DANGLING, PUBLISHED_ENGAGEMENTS, PUBLISHED_SAVES, WEIGHT
from pinsage.errors import DatasetError


def keep_saves(source: SourceTable, judge: Judge, *, boards: Ends, pins: Ends, out: Path) -> TableCount:
    """Write the usable saves: unique (board, pin), the earliest of each; by board, time (unknown first) and pin.

    Raises:
        DatasetError: too many rows cannot be used, or none is left.
    """
    reading = _Reading(source, judge, (boards, pins))
    schema = PUBLISHED_SAVES.append(WEIGHT) if reading.has_weights else PUBLISHED_SAVES
    return reading.count(*reading.written(out, schema, reading.unique))


def keep_engagements(source: SourceTable, judge: Judge, *, pins: Ends, out: Path) -> TableCount:
    """Write the usable engagements, repeated ones included, by query, positive and time.

    Raises:
        DatasetError: too many rows cannot be used.
    """
    reading = _Reading(source, judge, (pins, pins))
    return reading.count(*reading.written(out, PUBLISHED_ENGAGEMENTS, EdgeBuckets.all))


class _Reading:
    """One pass over an edge table of N rows, and what it rejects.

    With an earlier catalog there are three kinds of edges: its own, which only are dealt; its dangling rows; the new
    rows. Rows are numbered through the last two; a dealt edge has the number of the first kind before these.
    """

    def __init__(self, source: SourceTable, judge: Judge, ends: tuple[Ends, Ends]) -> None:
        self.source, self.judge, self.ends, self.spec = source, judge, ends, source.spec
        name, base = source.spec.name, judge.base
        self.before = judge.before(name)
        self.origins = Origins(source, base.dangling(name) if base else None)
        had_weights = base is not None and base.has_weights()
        self.has_weights = self.spec.weight != "" and (had_weights or self.spec.weight in source.present)
        self.row_judge = RowJudge(self.spec, ends, judge.point, judge.max_id_length, self.has_weights)
        self.num_rows = self.before.kept + judge.adopt(name) + self.origins.num_rows
        self.rejects = judge.quarantine.rejects(name, self.num_rows)
        self._dangling: list[pa.Table] = []

    def written(
        self, out: Path, schema: pa.Schema, ordered: Callable[[EdgeBuckets], Iterator[Edges]]
    ) -> tuple[int, int]:
        """How many edges were written, and how many rows are later than as_of; the buckets are given back by then.

        Raises:
            DatasetError: too many rows cannot be used.
        """
        buckets, later = self.dealt()
        return write_tables(out, ahead(_table(edges, schema) for edges in ordered(buckets)), schema), later

    def dealt(self) -> tuple[EdgeBuckets, int]:
        """The usable rows, repeated ones included, in buckets; and how many are later than as_of.

        Raises:
            DatasetError: too many rows cannot be used, even before repeated ones are counted.
        """
        buckets = EdgeBuckets(len(self.ends[0].ids), len(self.ends[1].ids), self.before.kept + self.origins.num_rows)
        for edges in self._old_edges():
            buckets.deal(edges, np.ones(len(edges.left), bool))
        later = 0
        for start, batch in chain(self._dangling_rows(), ahead(self._new_rows())):
            edges = self.row_judge.read(self.before.kept + start, batch)
            is_odd = self.row_judge.is_odd(edges)
            buckets.deal(edges, ~is_odd)
            if is_odd.any():
                later += self._reject(start, batch, edges, np.flatnonzero(is_odd))
        self.judge.quarantine.check_share(self.spec.name, self.origins, self.rejects, exist=self.num_rows - later)
        return buckets, later

    def unique(self, buckets: EdgeBuckets) -> Iterator[Edges]:
        """The dealt edges, each once and in order; those that repeat one are rejected."""
        for edges, again in buckets.unique(num_old=self.before.kept):
            if len(again):
                reasons = pa.DictionaryArray.from_arrays(np.zeros(len(again), np.int32), pa.array(["duplicate save"]))
                rows = again["row"].astype(np.int64) - self.before.kept
                self.rejects.add(rows, reasons, partial(self.row_judge.repeated_records, again))
            yield edges

    def count(self, kept: int, later: int) -> TableCount:
        """What became of the rows, after the rejected ones went into quarantine and the dangling ones to the judge.

        Raises:
            DatasetError: too many rows cannot be used.
            PinSageError: rows were lost or doubled.
        """
        name, exist = self.spec.name, self.num_rows - later
        quarantined = self.judge.quarantine.take(name, self.origins, self.rejects, exist=exist)
        count = TableCount(name, self.num_rows, kept, quarantined, later)
        count.check()
        self.judge.dangling.extend(self._dangling)
        return count

    def _old_edges(self) -> Iterator[ReadEdges]:
        """The edges of the earlier catalog, numbered as they are."""
        first = 0
        for batch in self.judge.base.batches(self.spec.name) if self.judge.base else ():
            times = batch.column(2).cast(pa.int64()).fill_null(UNKNOWN).to_numpy()
            has_weights = batch.num_columns > len(PUBLISHED_SAVES)
            weights = batch.column(3).to_numpy() if has_weights else np.ones(batch.num_rows, np.float32)
            yield ReadEdges(batch.column(0).to_numpy(), batch.column(1).to_numpy(), times, weights, first)
            first += batch.num_rows

    def _dangling_rows(self) -> Iterator[tuple[int, pa.RecordBatch]]:
        """The rows that the earlier catalog had to leave, in the form of those that are read now."""
        if self.origins.earlier is not None and self.origins.earlier.num_rows:
            rows = self.origins.earlier.combine_chunks()
            columns = [rows.column(name).combine_chunks() for name in ("left_id", "right_id", "time", "weight")]
            columns[2] = columns[2].cast(pa.int64())
            yield 0, pa.RecordBatch.from_arrays(columns, names=["left_id", "right_id", "time", "weight"])

    def _new_rows(self) -> Iterator[tuple[int, pa.RecordBatch]]:
        names = [column.name for column in self.spec.columns]
        return ((self.origins.num_earlier + start, batch) for start, batch in self.source.batches(names))

    def _reject(self, start: int, batch: pa.RecordBatch, edges: ReadEdges, odd: NDArray[np.int64]) -> int:
        """Judge the odd rows of a batch one reason after the other; return how many are later than as_of."""
        rows = batch.take(pa.array(odd))
        verdicts = self.row_judge.judged(rows, edges, odd)
        rejected = verdicts.rejected
        reasons, records = verdicts.reasons(rejected), partial(self.row_judge.records, rows.take(pa.array(rejected)))
        self.rejects.add(start + odd[rejected], reasons, records)
        dangling = np.sort(np.concatenate([verdicts.rows(f"{UNKNOWN_ID}{name}") for name in self.spec.ids]))
        if len(dangling) and self.rejects.num <= self.rejects.most:
            self._dangling.append(self._left(start + odd[dangling], rows.take(pa.array(dangling))))
        return verdicts.num_left_out

    def _left(self, numbers: NDArray[np.int64], rows: pa.RecordBatch) -> pa.Table:
        """Rows to be judged again, in the published form; over-long ids are cut and stay over-long."""
        files, places = self.origins.named(numbers)
        longest = self.judge.max_id_length + 1
        ids = [pc.utf8_slice_codeunits(decoded(rows.column(place)), 0, longest) for place in range(2)]
        weights = rows.column(3) if self.has_weights else pa.nulls(len(numbers))
        names = pa.repeat(self.spec.name, len(numbers))
        columns = [names, files, pa.array(places), *ids, rows.column(2), weights]
        return pa.table(columns, names=PUBLISHED_DANGLING.names).cast(PUBLISHED_DANGLING)


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
