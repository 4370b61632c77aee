"""Edges that come in any order, put in order of their left node without a sort of them all.

They are dealt into at most 256 buckets of neighboring left nodes while they are read, and each bucket is then ordered
by itself. The buckets grow by blocks from one pool, so that edges are held once: 20 bytes each, 4 more with a weight.

E edges; columns are `left`, `right` int32, `times` int64, `rows` uint32 or int64, `weights` float32 or empty.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pinsage.errors import PinSageError

MAX_BUCKETS = 256
BUCKET_EDGES = 1 << 16  # fewer edges need no more buckets
BLOCK = 4096
SHORT = 24
UNKNOWN = int(np.iinfo(np.int64).min)  # sorts before every time
NEVER = int(np.iinfo(np.int64).max)


@dataclass(frozen=True)
class Edges:
    """Edges as columns; `rows` say where each was read, `weights` is empty where the table has none."""

    left: NDArray[np.int32]
    right: NDArray[np.int32]
    times: NDArray[np.int64]
    rows: NDArray[np.integer]
    weights: NDArray[np.float32]

    @classmethod
    def room(cls, size: int, row_type: type[np.integer], *, has_weights: bool) -> "Edges":
        """Columns for so many edges; memory that is never written is never taken."""
        left, right, times = np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.int64)
        return cls(left, right, times, np.empty(size, row_type), np.empty(size if has_weights else 0, np.float32))

    @property
    def columns(self) -> tuple[NDArray[np.generic], ...]:
        """All of them, for the compiled functions."""
        return self.left, self.right, self.times, self.rows, self.weights

    def first(self, count: int) -> "Edges":
        """The first edges."""
        return Edges(self.left[:count], self.right[:count], self.times[:count], self.rows[:count], self.weights[:count])

    def __len__(self) -> int:
        return len(self.left)


class EdgeBuckets:
    """Room for E edges between `num_left` and `num_right` nodes."""

    def __init__(self, num_left: int, num_right: int, num_edges: int, *, has_weights: bool) -> None:
        most, top = min(MAX_BUCKETS, 1 + num_edges // BUCKET_EDGES), max(num_left - 1, 0)
        self._shift = (top // most).bit_length()
        self.num_buckets = (top >> self._shift) + 1
        self.num_left, self.num_right, self.num_edges = num_left, num_right, num_edges
        self.row_type = np.uint32 if num_edges < 2**32 else np.int64
        num_blocks = num_edges // BLOCK + self.num_buckets
        self._pool = Edges.room(num_blocks * BLOCK, self.row_type, has_weights=has_weights)
        self._owners = np.full(num_blocks, -1, np.int32)  # the bucket of each block
        self._ends, self._used = np.zeros(self.num_buckets, np.int64), np.zeros(1, np.int64)
        self.num_dealt = 0

    def deal(self, edges: Edges, is_chosen: NDArray[np.bool_]) -> None:
        """Put the chosen (bool mask) of some edges into their buckets.

        Raises:
            PinSageError: they do not fit, or name a node that does not exist.
        """
        count = int(is_chosen.sum())
        bounds = ((edges.left, self.num_left), (edges.right, self.num_right))
        fits = all(_is_below(nodes, is_chosen, limit) for nodes, limit in bounds)
        if not fits or self.num_dealt + count > self.num_edges:
            raise PinSageError(
                f"{self.num_dealt + count:,} edges do not fit into room for {self.num_edges:,} between "
                f"{self.num_left:,} and {self.num_right:,} nodes. Run again on data that nobody writes to."
            )
        self.num_dealt += count
        _deal(self._pool.columns, (self._owners, self._ends, self._used), edges.columns, is_chosen, self._shift)

    def unique(self, *, num_old: int = 0) -> Iterator[tuple[Edges, Edges]]:
        """Bucket by bucket the edges by left, time (unknown first) and right, each once; and those that repeat one.

        Of edges with the same ends the earliest is kept, of these the heaviest, of these the first dealt; an unknown
        time is later than all. One with a row below `num_old` is never told to repeat another: it stays, and takes the
        time and weight of a better one.
        """
        seen, base = np.full(self.num_right, -1, np.int64), 0
        for bucket in range(self.num_buckets):
            edges, starts = self._grouped(bucket)
            again = Edges.room(len(edges), self.row_type, has_weights=len(edges.weights) > 0)
            kept, repeated = _unique(edges.columns, starts, again.columns, seen, base, num_old)
            base += len(edges)
            yield edges.first(kept), again.first(repeated)

    def all(self) -> Iterator[Edges]:
        """Bucket by bucket all edges, by left, right and time (unknown first)."""
        for bucket in range(self.num_buckets):
            edges, starts = self._grouped(bucket)
            _order(edges.columns, starts, False)
            yield edges

    def _grouped(self, bucket: int) -> tuple[Edges, NDArray[np.int64]]:
        """The edges of a bucket by left node, else as they were dealt, and where each left node's begin (and end)."""
        blocks = np.flatnonzero(self._owners == bucket)
        count = max(len(blocks) - 1, 0) * BLOCK + (int(self._ends[bucket] - 1) % BLOCK + 1 if len(blocks) else 0)
        edges = Edges.room(count, self.row_type, has_weights=len(self._pool.weights) > 0)
        starts = np.zeros((1 << self._shift) + 1, np.int64)
        _group(self._pool.columns, blocks, edges.columns, starts, bucket << self._shift)
        return edges, starts


def _is_below(nodes: NDArray[np.int32], is_chosen: NDArray[np.bool_], limit: int) -> bool:
    chosen = {"where": is_chosen, "initial": 0}
    return not len(nodes) or (int(nodes.min(**chosen)) >= 0 and int(nodes.max(**chosen)) < max(limit, 1))


@njit(nogil=True, cache=True)
def _copy(source, place, target, to):  # type: ignore[no-untyped-def]
    target[0][to], target[1][to] = source[0][place], source[1][place]
    target[2][to], target[3][to] = source[2][place], source[3][place]
    if len(source[4]):
        target[4][to] = source[4][place]


@njit(nogil=True, cache=True)
def _deal(pool, blocks, edges, is_chosen, shift):  # type: ignore[no-untyped-def]
    owners, ends, used = blocks
    for edge in range(len(is_chosen)):
        if is_chosen[edge]:
            bucket = edges[0][edge] >> shift
            place = ends[bucket]
            if place % BLOCK == 0:  # full, or the first of its bucket
                owners[used[0]] = bucket
                place = used[0] * BLOCK
                used[0] += 1
            _copy(edges, edge, pool, place)
            ends[bucket] = place + 1


@njit(nogil=True, cache=True)
def _group(pool, blocks, edges, starts, first_left):  # type: ignore[no-untyped-def]
    rest = len(edges[0])
    for block in blocks:
        for place in range(block * BLOCK, block * BLOCK + min(BLOCK, rest)):
            starts[pool[0][place] - first_left + 1] += 1
        rest -= min(BLOCK, rest)
    for left in range(len(starts) - 1):
        starts[left + 1] += starts[left]
    cursor, rest = starts.copy(), len(edges[0])
    for block in blocks:
        for place in range(block * BLOCK, block * BLOCK + min(BLOCK, rest)):
            left = pool[0][place] - first_left
            _copy(pool, place, edges, cursor[left])
            cursor[left] += 1
        rest -= min(BLOCK, rest)


@njit(nogil=True, cache=True)
def _is_better(edges, one, other):  # type: ignore[no-untyped-def]
    times, weights = edges[2], edges[4]
    time = NEVER if times[one] == UNKNOWN else times[one]
    other_time = NEVER if times[other] == UNKNOWN else times[other]
    return time < other_time or (time == other_time and len(weights) > 0 and weights[one] > weights[other])


@njit(nogil=True, cache=True)
def _unique(edges, starts, again, seen, base, num_old):  # type: ignore[no-untyped-def]
    """Both counts: kept edges are moved to the front of `edges`, the others into `again`.

    `seen` int64 [num_right]: `base` plus where the last edge to a right node lies, which tells both its left node and
    its bucket, so that it need not be cleared.
    """
    right, times, rows, weights = edges[1], edges[2], edges[3], edges[4]
    kept, repeated = 0, 0
    for left in range(len(starts) - 1):
        first = kept
        for edge in range(starts[left], starts[left + 1]):
            known = seen[right[edge]] - base
            if known < first:
                seen[right[edge]] = base + kept
                _copy(edges, edge, edges, kept)
                kept += 1
                continue
            is_better = _is_better(edges, edge, known)
            is_old = rows[known] < num_old
            _copy(edges, known if is_better and not is_old else edge, again, repeated)
            repeated += 1
            if is_better:
                times[known] = times[edge]
                if len(weights):
                    weights[known] = weights[edge]
                if not is_old:
                    rows[known] = rows[edge]
        _order_part(edges, first, kept, True)
    return kept, repeated


@njit(nogil=True, cache=True)
def _order(edges, starts, by_time):  # type: ignore[no-untyped-def]
    for left in range(len(starts) - 1):
        _order_part(edges, starts[left], starts[left + 1], by_time)


@njit(nogil=True, cache=True)
def _is_before(edges, one, time, right, by_time):  # type: ignore[no-untyped-def]
    """Whether edge `one` comes strictly before an edge with this time and right node."""
    if by_time:
        return edges[2][one] < time or (edges[2][one] == time and edges[1][one] < right)
    return edges[1][one] < right or (edges[1][one] == right and edges[2][one] < time)


@njit(nogil=True, cache=True)
def _order_part(edges, start, end, by_time):  # type: ignore[no-untyped-def]
    """Sort edges of one left node: short runs by insertion, then merged, twice as long each time. Rows do not move."""
    right, times, weights = edges[1], edges[2], edges[4]
    for run in range(start, end, SHORT):
        for edge in range(run + 1, min(run + SHORT, end)):
            time, node, place = times[edge], right[edge], edge
            weight = weights[edge] if len(weights) else np.float32(1)
            while (
                place > run
                and not _is_before(edges, place - 1, time, node, by_time)
                and (times[place - 1] != time or right[place - 1] != node)
            ):
                times[place], right[place] = times[place - 1], right[place - 1]
                if len(weights):
                    weights[place] = weights[place - 1]
                place -= 1
            times[place], right[place] = time, node
            if len(weights):
                weights[place] = weight
    width = SHORT
    while width < end - start:
        for run in range(start, end - width, 2 * width):
            _merge(edges, run, run + width, min(run + 2 * width, end), by_time)
        width *= 2


@njit(nogil=True, cache=True)
def _merge(edges, start, middle, end, by_time):  # type: ignore[no-untyped-def]
    """Merge two neighboring ordered runs, of which the first is put aside."""
    right, times, weights = edges[1], edges[2], edges[4]
    if _is_before(edges, middle - 1, times[middle], right[middle], by_time):
        return
    aside = (right[:0], right[start:middle].copy(), times[start:middle].copy(), right[:0], weights[start:middle].copy())
    one, other, place = 0, middle, start
    while one < middle - start:
        if other < end and not _is_before(aside, one, times[other], right[other], by_time):
            times[place], right[place] = times[other], right[other]
            if len(weights):
                weights[place] = weights[other]
            other += 1
        else:
            times[place], right[place] = aside[2][one], aside[1][one]
            if len(weights):
                weights[place] = aside[4][one]
            one += 1
        place += 1
