"""Edges that come in any order, put in order of their left node without a sort of them all.

They are dealt into at most 256 buckets of neighboring left nodes while they are read, and each bucket is then ordered
by itself. The buckets grow by blocks from one pool, so that edges are held once, 24 bytes each.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pinsage.errors import DatasetError, PinSageError

MAX_BUCKETS = 256
BUCKET_EDGES = 1 << 16  # fewer edges need no more buckets
BLOCK = 4096
SHORT = 24
UNKNOWN = int(np.iinfo(np.int64).min)  # sorts before every time
NEVER = int(np.iinfo(np.int64).max)
MAX_EDGES = 2**32
EDGE = np.dtype(
    [("time", np.int64), ("left", np.int32), ("right", np.int32), ("row", np.uint32), ("weight", np.float32)]
)

Edges = NDArray[np.void]  # of dtype EDGE; `row` says where each was read


@dataclass(frozen=True)
class ReadEdges:
    """Edges as they are read: `left`, `right` int32, `times` int64 (or UNKNOWN), `weights` float32; the number of the
    first row, from which they count on."""

    left: NDArray[np.int32]
    right: NDArray[np.int32]
    times: NDArray[np.int64]
    weights: NDArray[np.float32]
    first_row: int


class EdgeBuckets:
    """Room for so many edges between `num_left` and `num_right` nodes."""

    def __init__(self, num_left: int, num_right: int, num_edges: int) -> None:
        if num_edges > MAX_EDGES:
            raise DatasetError(f"{num_edges:,} rows are more than {MAX_EDGES:,}, the most at once. Split the data set.")
        most, top = min(MAX_BUCKETS, 1 + num_edges // BUCKET_EDGES), max(num_left - 1, 0)
        self._shift = (top // most).bit_length()
        self.num_buckets = (top >> self._shift) + 1
        self.num_left, self.num_right, self.num_edges = num_left, num_right, num_edges
        num_blocks = num_edges // BLOCK + self.num_buckets
        self._pool = np.empty(num_blocks * BLOCK, EDGE)  # memory that is never written is never taken
        self._owners = np.full(num_blocks, -1, np.int32)  # the bucket of each block
        self._ends, self._used = np.zeros(self.num_buckets, np.int64), np.zeros(1, np.int64)
        self.num_dealt = 0

    def deal(self, edges: ReadEdges, is_chosen: NDArray[np.bool_]) -> None:
        """Put the chosen (bool mask) of some edges into their buckets.

        Raises:
            PinSageError: they do not fit, or name a node that does not exist.
        """
        count = int(is_chosen.sum())
        fits = _fit(edges.left, is_chosen, self.num_left) and _fit(edges.right, is_chosen, self.num_right)
        if not fits or self.num_dealt + count > self.num_edges:
            raise PinSageError(
                f"{self.num_dealt + count:,} edges do not fit into room for {self.num_edges:,} between "
                f"{self.num_left:,} and {self.num_right:,} nodes. Run again on data that nobody writes to."
            )
        self.num_dealt += count
        columns = (edges.left, edges.right, edges.times, edges.weights)
        blocks = (self._owners, self._ends, self._used)
        _deal(self._pool, blocks, self._shift, columns, edges.first_row, is_chosen)

    def unique(self, *, num_old: int = 0) -> Iterator[tuple[Edges, Edges]]:
        """Bucket by bucket the edges by left, time (unknown first) and right, each once; and those that repeat one.

        Of edges with the same ends the earliest is kept, of these the heaviest, of these the first dealt; an unknown
        time is later than all. One with a row below `num_old` is never told to repeat another: it stays, and takes the
        time and weight of a better one.
        """
        seen, base = np.full(self.num_right, -1, np.int64), 0
        for bucket in range(self.num_buckets):
            edges, starts = self._grouped(bucket)
            again, aside = np.empty(len(edges), EDGE), np.empty(len(edges) + 1, EDGE)
            kept, repeated = _unique(edges, starts, again, aside, seen, base, num_old)
            base += len(edges)
            yield edges[:kept], again[:repeated]

    def all(self) -> Iterator[Edges]:
        """Bucket by bucket all edges, by left, right and time (unknown first)."""
        for bucket in range(self.num_buckets):
            edges, starts = self._grouped(bucket)
            _order(edges, starts, np.empty(len(edges) + 1, EDGE))
            yield edges

    def _grouped(self, bucket: int) -> tuple[Edges, NDArray[np.int64]]:
        """The edges of a bucket by left node, else as they were dealt, and where each left node's begin (and end)."""
        blocks = np.flatnonzero(self._owners == bucket)
        count = (len(blocks) - 1) * BLOCK + int(self._ends[bucket] - 1) % BLOCK + 1 if len(blocks) else 0
        edges, starts = np.empty(count, EDGE), np.zeros((1 << self._shift) + 1, np.int64)
        _group(self._pool, blocks, edges, starts, bucket << self._shift)
        return edges, starts


def _fit(nodes: NDArray[np.int32], is_chosen: NDArray[np.bool_], limit: int) -> bool:
    low = int(np.min(nodes, where=is_chosen, initial=0))
    return low >= 0 and int(np.max(nodes, where=is_chosen, initial=0)) < max(limit, 1)


@njit(nogil=True, cache=True)
def _deal(pool, blocks, shift, columns, first_row, is_chosen):  # type: ignore[no-untyped-def]
    owners, ends, used = blocks  # taken apart here: in the loop each look into a tuple would count references
    left, right, times, weights = columns
    for edge in range(len(is_chosen)):
        if is_chosen[edge]:
            bucket = left[edge] >> shift
            place = ends[bucket]
            if place % BLOCK == 0:  # the block is full, or the bucket has none
                owners[used[0]] = bucket
                place = used[0] * BLOCK
                used[0] += 1
            pool[place].time = times[edge]
            pool[place].left = left[edge]
            pool[place].right = right[edge]
            pool[place].row = first_row + edge
            pool[place].weight = weights[edge]
            ends[bucket] = place + 1


@njit(nogil=True, cache=True)
def _group(pool, blocks, edges, starts, first_left):  # type: ignore[no-untyped-def]
    """A counting sort of the edges in some blocks, of which the last may be filled in part."""
    for number in range(len(edges)):
        starts[pool[blocks[number // BLOCK] * BLOCK + number % BLOCK].left - first_left + 1] += 1
    for left in range(len(starts) - 1):
        starts[left + 1] += starts[left]
    cursor = starts.copy()
    for number in range(len(edges)):
        place = blocks[number // BLOCK] * BLOCK + number % BLOCK
        left = pool[place].left - first_left
        edges[cursor[left]] = pool[place]
        cursor[left] += 1


@njit(nogil=True, cache=True)
def _is_better(one, other):  # type: ignore[no-untyped-def]
    time = NEVER if one.time == UNKNOWN else one.time
    other_time = NEVER if other.time == UNKNOWN else other.time
    return time < other_time or (time == other_time and one.weight > other.weight)


@njit(nogil=True, cache=True)
def _unique(edges, starts, again, aside, seen, base, num_old):  # type: ignore[no-untyped-def]
    """Both counts: kept edges are moved to the front of `edges`, the others into `again`.

    `seen` int64 [num_right]: `base` plus where the last edge to a right node lies, which tells its left node and its
    bucket as well, so that it need not be cleared.
    """
    kept, repeated = 0, 0
    for left in range(len(starts) - 1):
        first = kept
        for edge in range(starts[left], starts[left + 1]):
            known = seen[edges[edge].right] - base
            if known < first:
                seen[edges[edge].right] = base + kept
                edges[kept] = edges[edge]
                kept += 1
                continue
            is_better, is_old = _is_better(edges[edge], edges[known]), edges[known].row < num_old
            again[repeated] = edges[known] if is_better and not is_old else edges[edge]
            repeated += 1
            if is_better:
                row = edges[known].row if is_old else edges[edge].row
                edges[known] = edges[edge]
                edges[known].row = row
        _order_part(edges, first, kept, aside, True)
    return kept, repeated


@njit(nogil=True, cache=True)
def _order(edges, starts, aside):  # type: ignore[no-untyped-def]
    for left in range(len(starts) - 1):
        _order_part(edges, starts[left], starts[left + 1], aside, False)


@njit(nogil=True, cache=True)
def _is_after(one, other, by_time):  # type: ignore[no-untyped-def]
    if by_time:
        return one.time > other.time or (one.time == other.time and one.right > other.right)
    return one.right > other.right or (one.right == other.right and one.time > other.time)


@njit(nogil=True, cache=True)
def _order_part(edges, start, end, aside, by_time):  # type: ignore[no-untyped-def]
    """Sort edges of one left node: short runs by insertion, then merged, twice as long each time."""
    for run in range(start, end, SHORT):
        for edge in range(run + 1, min(run + SHORT, end)):
            if _is_after(edges[edge - 1], edges[edge], by_time):
                aside[0], place = edges[edge], edge
                while place > run and _is_after(edges[place - 1], aside[0], by_time):
                    edges[place] = edges[place - 1]
                    place -= 1
                edges[place] = aside[0]
    width = SHORT
    while width < end - start:
        for run in range(start, end - width, 2 * width):
            _merge(edges, run, run + width, min(run + 2 * width, end), aside, by_time)
        width *= 2


@njit(nogil=True, cache=True)
def _merge(edges, start, middle, end, aside, by_time):  # type: ignore[no-untyped-def]
    """Merge two neighboring ordered runs, of which the first is put aside."""
    if not _is_after(edges[middle - 1], edges[middle], by_time):
        return
    for edge in range(start, middle):
        aside[edge - start] = edges[edge]
    one, other, place = 0, middle, start
    while one < middle - start:
        if other < end and _is_after(aside[one], edges[other], by_time):
            edges[place] = edges[other]
            other += 1
        else:
            edges[place] = aside[one]
            one += 1
        place += 1
