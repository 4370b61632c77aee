"""Compiled random walks: many walks side by side, a visit count per start pin, the pins that were visited most.

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

from pinsage.walks.compiled import (
    GOLDEN,
    HALF,
    LOW,
    mixed,
    move_largest_first,
    place_of,
    prefetch,
    scrambled,
    stream,
    unscrambled,
)

LANES = 512  # what they prefetch, a line each, fits the second-level cache with room to spare
MAX_HOPS = 64  # a walk has room for so many traversals in its part of the random stream

_ALL_STOP = np.uint64(2**32)  # more than any 32-bit draw
_DRAWS_PER_WALK = np.uint64(4 * MAX_HOPS)


class Hops(NamedTuple):
    """The arrays of HopTables; the alias tables are empty where every save counts the same."""

    pin_rows: NDArray[np.uint64]
    pin_hops: NDArray[np.uint64]
    board_hops: NDArray[np.uint64]
    board_pins: NDArray[np.int32]
    pin_aliases: NDArray[np.uint64]
    board_aliases: NDArray[np.uint64]


class Walks(NamedTuple):
    """How many walks of how many traversals; a walk stops when a 32-bit draw is less than `stop_below`."""

    num_walks: int
    max_hops: int
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


class Ranks(NamedTuple):
    """A band of ranks, both ends included; rank 1 was visited most."""

    first: int
    last: int


@njit(nogil=True, cache=True)
def _start(pool: Pool, hops: Hops, walks: Walks, pins: NDArray[np.int32], first: int, last: int) -> int:
    lane = 0
    for slot in range(len(pins)):
        row = hops.pin_rows[pins[slot]]
        if row & LOW == 0:
            continue  # an isolated pin has nowhere to go
        begin = stream(walks.seed, pins[slot])
        for walk in range(first, last):
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
        drawn, here = mixed(state[lane]), row[lane]
        edge[lane] = (here >> HALF) + (((drawn >> HALF) * (here & LOW)) >> HALF)
        bits[lane] = drawn & LOW
        prefetch(pin_hops, np.int64(edge[lane]))
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
        drawn, here = mixed(state[lane]), row[lane]
        edge[lane] = (here >> HALF) + (((drawn >> HALF) * (here & LOW)) >> HALF)
        bits[lane] = drawn & LOW
        prefetch(aliases, np.int64(edge[lane]))
    for lane in range(lanes):
        alias = aliases[np.int64(edge[lane])]
        if bits[lane] >= alias >> HALF:
            edge[lane] = (row[lane] >> HALF) + (alias & LOW)
        prefetch(hops, np.int64(edge[lane]))


@njit(nogil=True, cache=True)
def _traverse_by_weight(pool: Pool, hops: Hops, lanes: int) -> None:
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
    board_hops, alive, mask = hops.board_hops, 0, (np.int64(1) << size_bits) - 1
    for lane in range(lanes):
        slot, here = np.int64(slots[lane]), board_hops[np.int64(edge[lane])]
        pin, base = here >> HALF, slot << size_bits
        if pin != origins[slot]:
            place = place_of(pin, size_bits)
            entry = entries[base + place]
            while (entry >> HALF != pin) & (entry != 0):
                place = (place + 1) & mask
                entry = entries[base + place]
            entries[base + place] = (pin << HALF) | ((entry & LOW) + np.uint64(1))
            edges[base + place] = edge[lane]
            used[slot * (most + 1) + num_used[slot]] = place
            num_used[slot] += np.int64(entry == 0)
        if stop_below <= LOW:
            after = state[lane] + GOLDEN
            state[alive], slots[alive], row[alive] = after, slot, here
            alive += np.int64((mixed(after) >> HALF) >= stop_below)
    return alive


@njit(nogil=True, cache=True)
def _visit(pool: Pool, counter: Counter, hops: Hops, walks: Walks, pins: NDArray[np.int32]) -> int:
    """Walk all walks of a few pins; their visit counts are in the counter then. Returns traversals made."""
    traversals, has_weights = 0, len(hops.pin_aliases) > 0
    for slot in range(len(pins)):
        counter.origins[slot] = hops.pin_rows[pins[slot]] >> HALF
    for first in range(0, walks.num_walks, LANES):
        lanes = _start(pool, hops, walks, pins, first, min(first + LANES, walks.num_walks))
        for hop in range(walks.max_hops):
            stop_below = walks.stop_below if hop + 1 < walks.max_hops else _ALL_STOP
            if has_weights:
                _traverse_by_weight(pool, hops, lanes)
            else:
                _traverse(pool, hops, lanes)
            traversals += lanes
            lanes = _count_and_stop(pool, counter, hops, stop_below, lanes)
    return traversals


@njit(nogil=True, cache=True)
def _empty(counter: Counter, slot: int) -> None:
    base, first = np.int64(slot) << counter.bits, slot * (counter.most + 1)
    for index in range(first, first + counter.num_used[slot]):
        counter.entries[base + counter.used[index]] = 0
    counter.num_used[slot] = 0


@njit(nogil=True, cache=True)
def _rank_counts(tally: NDArray[np.int64], most_visits: int, kept: int) -> int:
    """Turn `tally[count]` from how many pins have a count into the rank of the first of them (a counting sort).

    Returns:
        The least count of those kept.
    """
    rank, least = 0, most_visits
    for count in range(most_visits, 0, -1):
        if rank < kept:
            least = count
        same, tally[count] = tally[count], rank
        rank += same
    return least


@njit(nogil=True, cache=True)
def _choose_top(
    counter: Counter, board_pins: NDArray[np.int32], chosen: NDArray[np.uint32], weights: NDArray[np.float32],
    first_row: int, num_rows: int,
) -> None:  # fmt: skip
    """Empty the counters of a few start pins into their rows: heaviest first, of equals the one visited first.

    `chosen` [Q, T] gets a save that leads to each pin, and 1 more than its place, so that 0 is none; `weights` shares.
    """
    entries, edges, used, num_used, _, tally, size_bits, most = counter
    for slot in range(num_rows):
        base, first, row = np.int64(slot) << size_bits, slot * (most + 1), first_row + slot
        after, most_visits, total = first + num_used[slot], 0, 0.0
        for index in range(first, after):
            count = np.int64(entries[base + used[index]] & LOW)
            tally[count] += 1
            most_visits = max(most_visits, count)
        kept = min(after - first, chosen.shape[1])
        least = _rank_counts(tally, most_visits, kept)
        for index in range(first, after):
            place = base + used[index]
            count = np.int64(entries[place] & LOW)
            entries[place] = 0
            rank = tally[count]
            if count >= least and rank < kept:
                chosen[row, rank], weights[row, rank] = edges[place] + np.uint32(1), count
                prefetch(board_pins, np.int64(edges[place]))
                tally[count] += 1
                total += count
        for count in range(most_visits + 1):
            tally[count] = 0
        num_used[slot] = 0
        for rank in range(kept):
            weights[row, rank] = np.float32(weights[row, rank] / total)


@njit(nogil=True, cache=True)
def fill_top(
    pool: Pool,
    counter: Counter,
    hops: Hops,
    walks: Walks,
    pins: NDArray[np.int32],
    top: NDArray[np.int32],
    weights: NDArray[np.float32],
) -> int:
    """Fill `top` and `weights` [Q, T] for every pin of `pins`; returns the traversals made."""
    group, traversals, board_pins = len(counter.num_used), 0, hops.board_pins
    chosen = top.view(np.uint32)  # the same memory: first a save that leads to a pin, then the pin
    chosen[:] = 0
    for first in range(0, len(pins), group):
        some = pins[first : first + group]
        for index in range(first + group, min(first + 2 * group, len(pins))):
            prefetch(hops.pin_rows, np.int64(pins[index]))
        traversals += _visit(pool, counter, hops, walks, some)
        _choose_top(counter, board_pins, chosen, weights, first, len(some))
        for row in range(first, first + len(some)):
            for rank in range(top.shape[1]):
                edge = np.int64(chosen[row, rank]) - 1
                top[row, rank] = board_pins[edge] if edge >= 0 else -1
    return traversals


@njit(nogil=True, cache=True)
def _find(counter: Counter, slot: int, pin: np.uint64) -> np.int64:
    """Where a pin is in the counter of one start pin, or the empty place where it would be."""
    mask, place = (np.int64(1) << counter.bits) - 1, place_of(pin, counter.bits)
    base = np.int64(slot) << counter.bits
    while counter.entries[base + place] >> HALF != pin and counter.entries[base + place] != 0:
        place = (place + 1) & mask
    return base + place


@njit(nogil=True, cache=True)
def _forget(counter: Counter, slot: int, row: np.uint64) -> None:
    """Leave a pin out of the ranking, if it was visited at all: its count becomes one that no walks reach."""
    place = _find(counter, slot, row >> HALF)
    if counter.entries[place] != 0:
        counter.entries[place] |= LOW


@njit(nogil=True, cache=True)
def _ranked(counter: Counter, slot: int, keys: NDArray[np.uint64], key: np.uint64) -> int:
    """Turn the counts of one start pin into keys that sort by visits, equals in random order; returns how many."""
    base, first, ranked = np.int64(slot) << counter.bits, slot * (counter.most + 1), 0
    for index in range(first, first + counter.num_used[slot]):
        entry = counter.entries[base + counter.used[index]]
        if entry & LOW != LOW:
            keys[ranked] = (entry << HALF) | scrambled(entry >> HALF, key)
            ranked += 1
    return ranked


@njit(nogil=True, cache=True)
def _keep_band(keys: NDArray[np.uint64], ranked: int, ranks: Ranks, start: np.uint64, wanted: int) -> tuple[int, int]:
    """Leave a random sample of a band of ranks, in random order, at keys[low:high]; returns low and high."""
    order, sample = start & LOW, start >> HALF
    low = min(ranks.first, ranked // 2)
    high = min(ranked, max(ranks.last, low + wanted))
    move_largest_first(keys, 0, ranked, high)
    move_largest_first(keys, 0, high, low)
    for index in range(low, high):
        keys[index] = scrambled(unscrambled(keys[index] & LOW, order), sample)
    kept = min(wanted, high - low)
    move_largest_first(keys, low, high, kept)
    keys[low : low + kept].sort()
    for index in range(kept // 2):
        other = low + kept - 1 - index
        keys[low + index], keys[other] = keys[other], keys[low + index]
    return low, low + kept


@njit(nogil=True, cache=True)
def _fill_row(
    counter: Counter, hops: Hops, pin: np.int32, keys: NDArray[np.uint64], band: tuple[Ranks, np.uint64],
    neighbors: NDArray[np.int32], slot: int, out: NDArray[np.int32],
) -> None:  # fmt: skip
    ranks, start = band
    taken = 0
    for neighbor in neighbors:
        if neighbor != pin and neighbor >= 0:
            _forget(counter, slot, hops.pin_rows[neighbor])
            taken += 1
    ranked = _ranked(counter, slot, keys, start & LOW)
    after = Ranks(max(ranks.first - 1 - taken, 0), ranks.last - taken)
    low, high = _keep_band(keys, ranked, after, start, len(out))
    for index in range(low, high):
        place = _find(counter, slot, unscrambled(keys[index], start >> HALF))
        out[index - low] = hops.board_pins[np.int64(counter.edges[place])]
    _empty(counter, slot)


@njit(nogil=True, cache=True)
def fill_band(
    pool: Pool,
    counter: Counter,
    hops: Hops,
    walks: Walks,
    pins: NDArray[np.int32],
    neighbors: NDArray[np.int32],
    ranks: Ranks,
    out: NDArray[np.int32],
) -> int:
    """Fill `out` [Q, H] with pins of a band of ranks for every pin of `pins`; returns the traversals made."""
    group, traversals = len(counter.num_used), 0
    keys = np.empty(counter.most + 1, np.uint64)
    for begin in range(0, len(pins), group):
        some = pins[begin : begin + group]
        traversals += _visit(pool, counter, hops, walks, some)
        for slot in range(len(some)):
            band = (ranks, stream(walks.seed, some[slot]))
            _fill_row(counter, hops, some[slot], keys, band, neighbors[begin + slot], slot, out[begin + slot])
    return traversals
