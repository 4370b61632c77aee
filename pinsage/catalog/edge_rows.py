"""One batch of an edge table: its rows as numbered edges, judged, and described where they are bad."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pinsage.catalog.columns import decoded
from pinsage.catalog.earlier import UNKNOWN_ID
from pinsage.catalog.edge_order import UNKNOWN, Edges, ReadEdges
from pinsage.catalog.id_table import IdTable
from pinsage.catalog.nodes import judge_ids
from pinsage.catalog.point_in_time import FIRST_TIME, PointInTime
from pinsage.catalog.quarantine import Verdicts
from pinsage.catalog.records import iso, iso_times, json_records
from pinsage.catalog.schema import TableSpec
from pinsage.errors import DatasetError

NO_WEIGHT = 1.0  # what a weight that is null means
MAX_WEIGHT = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Ends:
    """The nodes that an id column of an edge table may name: their ids by number, and a table to find them."""

    ids: pa.Array
    table: IdTable

    @classmethod
    def of(cls, ids: pa.Array) -> "Ends":
        """The nodes with these ids (strings [P])."""
        return cls(ids, IdTable.of(ids))


@dataclass(frozen=True)
class RowJudge:
    """How the rows of an edge table are read and judged; batches have the columns of `spec`, in that order."""

    spec: TableSpec
    ends: tuple[Ends, Ends]
    point: PointInTime
    max_id_length: int
    has_weights: bool

    @property
    def last_time(self) -> int:
        """The latest time of a row that is kept."""
        future, as_of = self.point.future, self.point.as_of
        return future - 1 if as_of is None else min(as_of, future - 1)

    def read(self, first_row: int, batch: pa.RecordBatch) -> ReadEdges:
        """The rows as edges, numbered from `first_row` on; the number of an unknown id is -1."""
        left, right = (ends.table.rows(batch.column(place)) for place, ends in enumerate(self.ends))
        times = batch.column(2).fill_null(UNKNOWN).to_numpy()
        return ReadEdges(left, right, times, self._weights(batch), first_row)

    def _weights(self, batch: pa.RecordBatch) -> NDArray[np.float32]:
        if not self.has_weights:
            return np.ones(batch.num_rows, np.float32)
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and is judged
            weights: NDArray[np.float32] = batch.column(3).fill_null(NO_WEIGHT).to_numpy().astype(np.float32)
        return weights

    def is_odd(self, edges: ReadEdges) -> NDArray[np.bool_]:
        """bool: something is wrong with the row, or it is later than as_of."""
        is_dated = (edges.times >= FIRST_TIME) & (edges.times <= self.last_time) | (edges.times == UNKNOWN)
        is_odd: NDArray[np.bool_] = ~is_dated | (edges.left < 0) | (edges.right < 0)
        return is_odd | ~_is_positive(edges.weights) if self.has_weights else is_odd

    def judged(self, batch: pa.RecordBatch, edges: ReadEdges, odd: NDArray[np.int64]) -> Verdicts:
        """A verdict for each of the odd rows (`batch` holds these alone), one reason after the other.

        Time comes first: a row later than as_of does not exist, whatever else is wrong with it.

        Raises:
            DatasetError: a row is newer than the footers of the files say.
        """
        spec, point, times, verdicts = self.spec, self.point, edges.times[odd], Verdicts(len(odd))
        verdicts.mark(times >= point.future, f"{spec.time} is in the future")
        if point.as_of is not None:
            self._check_newest(times)
            verdicts.leave_out(times > point.as_of)
        verdicts.mark((times < FIRST_TIME) & (times != UNKNOWN), f"{spec.time} is before the year 1")
        for place, (name, numbers) in enumerate(zip(spec.ids, (edges.left, edges.right), strict=True)):
            ids = decoded(batch.column(place)).cast(pa.large_string())
            judge_ids(verdicts, ids, name=name, max_length=self.max_id_length)
            verdicts.mark(numbers[odd] < 0, f"{UNKNOWN_ID}{name}")
        if self.has_weights:
            verdicts.mark(~_is_positive(edges.weights[odd]), f"{spec.weight} is not a positive number")
        return verdicts

    def _check_newest(self, times: NDArray[np.int64]) -> None:
        """Footers told the newest time; a file that holds a later one would lose rows to a damaged statistic."""
        point = self.point
        newest = int(times.max(where=times < point.future, initial=UNKNOWN))
        if point.newest is not None and newest > point.newest:
            raise DatasetError(
                f"{self.spec.name}: a row has {self.spec.time} = {iso(newest)}, but the statistics in the footers end "
                f"at {iso(point.newest)}. Export the table again."
            )

    def records(self, batch: pa.RecordBatch, rows: NDArray[np.int64]) -> pa.Array:
        """What to write down of some rows of a batch."""
        chosen = batch.take(pa.array(rows))
        ids = {name: decoded(chosen.column(place)) for place, name in enumerate(self.spec.ids)}
        times = chosen.column(2)
        known = times.is_valid().to_numpy(zero_copy_only=False)
        columns = ids | {self.spec.time: iso_times(times.fill_null(0).to_numpy(), known)}
        return json_records(columns | ({self.spec.weight: chosen.column(3)} if self.has_weights else {}))

    def repeated_records(self, again: Edges, chosen: NDArray[np.int64]) -> pa.Array:
        """What to write down of some repeated edges."""
        rows = again[chosen]
        sides = zip(self.spec.ids, self.ends, (rows["left"], rows["right"]), strict=True)
        ids = {name: ends.ids.take(pa.array(numbers)) for name, ends, numbers in sides}
        columns = ids | {self.spec.time: iso_times(rows["time"], rows["time"] != UNKNOWN)}
        weights = {self.spec.weight: pa.array(rows["weight"].astype(np.float64))} if self.has_weights else {}
        return json_records(columns | weights)


def _is_positive(weights: NDArray[np.float32]) -> NDArray[np.bool_]:
    is_positive: NDArray[np.bool_] = (weights > 0) & (weights <= MAX_WEIGHT)  # NaN is neither
    return is_positive
