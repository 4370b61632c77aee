"""Compiled random walks: many walks side by side, and a visit count per start pin.

The time of a walk is the time of its cache misses, so up to `LANES` walks advance in lock-step: each short loop below
touches memory once per walk and prefetches what the next loop will touch.

Every draw is a function of (seed, start pin, walk, traversal) alone: no partition, thread or order changes a byte.

Letters: Q query pins, L lanes, G query pins walked together, C places of a visit counter.
"""

# mypy: disable-error-code="assignment, arg-type, call-overload, no-any-return"
# (Inside compiled functions numbers are numba's, which mix where NumPy's scalar types do not.)

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pinsage.compiled.hash import GOLDEN, HALF, LOW, mix, stream
from pinsage.compiled.prefetch import prefetch
from pinsage.compiled.table import find

LANES = 512  # what they prefetch, a line each, fits the second-level cache with room to spare
LONGEST_WALK = 64  # traversals that a walk has room for in its part of the random stream

_ALL_STOP = np.uint64(2**32)  # more than any 32-bit draw
_DRAWS_PER_WALK = np.uint64(4 * LONGEST_WALK)


class Hops(NamedTuple):
    """The arrays of HopTables; the alias tables are empty where every save counts the same."""

    pin_rows: NDArray[np.uint64]
    pin_hops: NDArray[np.uint64]
    board_hops: NDArray[np.uint64]
    board_pins: NDArray[np.int32]
    pin_aliases: NDArray[np.uint64]
    board_aliases: NDArray[np.uint64]


class Walks(NamedTuple):
    """The number of walks and of their traversals; a walk stops when a 32-bit draw is less than `stop_below`."""

    num_walks: int
    max_traversals: int
    stop_below: np.uint64
    seed: np.uint64


class Pool(NamedTuple):
    """The walks under way, one per lane, each array [L]; `edge` and `bits` carry a lane from one loop to the next."""

    state: NDArray[np.uint64]
    slot: NDArray[np.int32]
    row: NDArray[np.uint64]
    edge: NDArray[np.uint64]
    bits: NDArray[np.uint64]


class Counter(NamedTuple):
    """Visit counts of G start pins by open addressing; a pin is known by the offset of its row.

    Attributes:
        entries: uint64 [G * C], `offset << 32 | count`, 0 where empty.
        edges: uint32 [G * C], a save (by board) that led to the pin of the entry.
        used: int32 [G * (most + 1)], the filled places of each start pin, in order of first visit.
        num_used: int64 [G].
        origins: uint64 [G], the offset of each start pin.
        tally: int64 [highest count + 1], zeros: room to sort by count.
        bits: C is two to this power.
        most: most pins visited from one start pin.
    """

    entries: NDArray[np.uint64]
    edges: NDArray[np.uint32]
    used: NDArray[np.int32]
    num_used: NDArray[np.int64]
    origins: NDArray[np.uint64]
    tally: NDArray[np.int64]
    bits: int
    most: int


@njit(nogil=True, cache=True)
def _start(pool: Pool, hops: Hops, walks: Walks, pins: NDArray[np.int32], first: int, last: int) -> int:
    lane = 0
    for slot in range(len(pins)):
        row = hops.pin_rows[pins[slot]]
        if row & LOW == 0:
            continue  # an isolated pin has nowhere to go
        begin = stream(walks.seed, pins[slot])
        for walk in range(first, last):
            # A walk owns a part of its pin's stream, so its draws do not depend on which walks ran before it.
            pool.state[lane] = begin + GOLDEN * _DRAWS_PER_WALK * np.uint64(walk)
            pool.slot[lane] = slot
            pool.row[lane] = row
            lane += 1
    return lane


@njit(nogil=True, cache=True)
def _traverse(pool: Pool, hops: Hops, lanes: int) -> None:
    """Put on every lane's `edge` a random save of a random board of its pin. Draws: Lemire 2019, without rejection."""
    state, row, edge, bits = pool.state, pool.row, pool.edge, pool.bits
    pin_hops, board_hops = hops.pin_hops, hops.board_hops
    for lane in range(lanes):
        state[lane] += GOLDEN
        drawn, here = mix(state[lane]), row[lane]
        # One draw serves both steps, half its bits each: a product and a shift, where a remainder would divide.
        edge[lane] = (here >> HALF) + (((drawn >> HALF) * (here & LOW)) >> HALF)
        bits[lane] = drawn & LOW
        prefetch(pin_hops, np.int64(edge[lane]))
    # A loop of its own, by which time the first lanes' cache lines have arrived.
    for lane in range(lanes):
        here = pin_hops[np.int64(edge[lane])]
        edge[lane] = (here >> HALF) + ((bits[lane] * (here & LOW)) >> HALF)
        prefetch(board_hops, np.int64(edge[lane]))


@njit(nogil=True, cache=True)
def _step_by_weight(pool: Pool, hops: NDArray[np.uint64], aliases: NDArray[np.uint64], lanes: int) -> None:
    """From every lane's `row`, put a save on its `edge` by shares: a place is drawn, then it or its alias is taken."""
    state, row, edge, bits = pool.state, pool.row, pool.edge, pool.bits
    for lane in range(lanes):
        state[lane] += GOLDEN
        drawn, here = mix(state[lane]), row[lane]
        edge[lane] = (here >> HALF) + (((drawn >> HALF) * (here & LOW)) >> HALF)
        bits[lane] = drawn & LOW
        prefetch(aliases, np.int64(edge[lane]))
    for lane in range(lanes):
        # The upper half of the draw has chosen the place, the lower half decides between it and its alias.
        # Vose's alias method: one place is looked up whatever the degree, where a search of sums would take log d.
        alias = aliases[np.int64(edge[lane])]
        if bits[lane] >= alias >> HALF:
            edge[lane] = (row[lane] >> HALF) + (alias & LOW)
        prefetch(hops, np.int64(edge[lane]))


@njit(nogil=True, cache=True)
def _traverse_by_weight(pool: Pool, hops: Hops, lanes: int) -> None:
    # A draw for each of the two steps: a place and a threshold take all 64 bits of it.
    _step_by_weight(pool, hops.pin_hops, hops.pin_aliases, lanes)
    for lane in range(lanes):
        pool.row[lane] = hops.pin_hops[np.int64(pool.edge[lane])]
    _step_by_weight(pool, hops.board_hops, hops.board_aliases, lanes)


@njit(nogil=True, cache=True)
def _count_and_stop(pool: Pool, counter: Counter, hops: Hops, stop_below: np.uint64, lanes: int) -> int:
    """Count where every lane is, end some walks by chance, and close the ranks of those that go on.

    Nearly branch-free: whether a pin is new and whether a walk ends cannot be predicted, and a wrong guess costs more
    than the count.
    """
    entries, edges, used, num_used, origins, _, size_bits, most = counter  # a tuple passed on would double the time
    state, slots, row, edge, _ = pool
    board_hops, alive = hops.board_hops, 0
    for lane in range(lanes):
        slot, here = np.int64(slots[lane]), board_hops[np.int64(edge[lane])]
        pin, base = here >> HALF, slot << size_bits
        # A query is no neighbor of its own: a visit to it is not counted at all.
        if pin != origins[slot]:
            place = find(entries, size_bits, base, pin)
            entry = entries[place]
            entries[place] = (pin << HALF) | ((entry & LOW) + np.uint64(1))
            # Any save that leads to the pin will do: only the pins that are kept are looked up by it.
            edges[place] = edge[lane]
            # Written whether the pin is new or not; there is room for one more, so that no branch has to tell.
            used[slot * (most + 1) + num_used[slot]] = place - base
            num_used[slot] += np.int64(entry == 0)
        # Survivors move up to the front, written always and kept by the count alone; `alive` never overtakes `lane`.
        if stop_below <= LOW:
            after = state[lane] + GOLDEN
            state[alive], slots[alive], row[alive] = after, slot, here
            alive += np.int64((mix(after) >> HALF) >= stop_below)
    return alive


@njit(nogil=True, cache=True)
def visit(pool: Pool, counter: Counter, hops: Hops, walks: Walks, pins: NDArray[np.int32]) -> int:
    """Walk all walks of a few pins; their visit counts are in the counter then. Returns traversals made."""
    traversals, has_weights = 0, len(hops.pin_aliases) > 0
    for slot in range(len(pins)):
        # A walk knows a pin by the offset of its row alone, so the query is known by it, too.
        counter.origins[slot] = hops.pin_rows[pins[slot]] >> HALF
    # More walks than lanes go in rounds; draws and counts are the same as in one.
    for first in range(0, walks.num_walks, LANES):
        lanes = _start(pool, hops, walks, pins, first, min(first + LANES, walks.num_walks))
        for hop in range(walks.max_traversals):
            # The last traversal ends every walk, so that none needs a count of its own: they are in lock-step.
            stop_below = walks.stop_below if hop + 1 < walks.max_traversals else _ALL_STOP
            if has_weights:
                _traverse_by_weight(pool, hops, lanes)
            else:
                _traverse(pool, hops, lanes)
            traversals += lanes
            lanes = _count_and_stop(pool, counter, hops, stop_below, lanes)
    return traversals
