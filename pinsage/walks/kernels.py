"""Compiled random walks: many walks side by side, a visit count per start pin, the pins that were visited most.

The time of a walk is the time of its cache misses, so up to `LANES` walks advance in lock-step: each short loop below
touches memory once per walk, and the processor keeps a dozen of those misses in flight at once (three times faster than
one walk after the other).

Every draw is a function of (seed, start pin, walk, traversal) alone: no partition, thread or order changes a byte.

All compiled code that walks is in this file on purpose: numba's cache on disk notices an edit of the file a function is
in, not of the files it calls into.

Letters: Q query pins, L lanes, G query pins walked together, C slots of a visit counter.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

LANES = 1024
MAX_HOPS = 64  # a walk has room for so many traversals in its part of the random stream

_EMPTY = np.int64(-1)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_DRAWS_PER_WALK = np.uint64(2 * MAX_HOPS)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


class Saves(NamedTuple):
    """The four arrays of a BipartiteGraph."""

    pin_offsets: NDArray[np.int64]
    pin_boards: NDArray[np.int32]
    board_offsets: NDArray[np.int64]
    board_pins: NDArray[np.int32]


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
    pin: NDArray[np.int32]
    edge: NDArray[np.int64]
    bits: NDArray[np.uint64]


class Counter(NamedTuple):
    """Visit counts of G start pins: open addressing, an entry is `pin << 32 | count`.

    Attributes:
        entries: int64 [G * C], -1 where empty.
        used: int32 [G * most visits], the filled places of each start pin, in order of first visit.
        num_used: int64 [G].
        bits: C is two to this power.
        most: most visits of one start pin.
    """

    entries: NDArray[np.int64]
    used: NDArray[np.int32]
    num_used: NDArray[np.int64]
    bits: int
    most: int


class Ranks(NamedTuple):
    """A band of ranks, both ends included; rank 1 was visited most."""

    first: int
    last: int


@njit(nogil=True, cache=True)
def mixed(bits: np.uint64) -> np.uint64:
    """SplitMix64's output function: 64 bits, each depending on all bits given (Steele, Lea and Flood, 2014)."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


@njit(nogil=True, cache=True)
def stream(seed: np.uint64, pin: int) -> np.uint64:
    """Where the random stream of a start pin begins."""
    return mixed(mixed(seed) + _GOLDEN * np.uint64(pin + 1))


@njit(nogil=True, cache=True)
def _start(pool: Pool, saves: Saves, walks: Walks, pins: NDArray[np.int32], first: int, last: int) -> int:
    lane = 0
    for slot in range(len(pins)):
        pin = pins[slot]
        if saves.pin_offsets[pin] == saves.pin_offsets[pin + 1]:
            continue  # an isolated pin has nowhere to go
        begin = stream(walks.seed, pin)
        for walk in range(first, last):
            pool.state[lane] = begin + _GOLDEN * _DRAWS_PER_WALK * np.uint64(walk)
            pool.slot[lane] = slot
            pool.pin[lane] = pin
            lane += 1
    return lane


@njit(nogil=True, cache=True)
def _traverse(pool: Pool, saves: Saves, lanes: int) -> None:
    """Move every lane to a random pin of a random board of its pin. Bounded draws: Lemire 2019, without rejection."""
    for lane in range(lanes):
        state = pool.state[lane] + _GOLDEN
        pool.state[lane] = state
        bits, pin = mixed(state), pool.pin[lane]
        begin = saves.pin_offsets[pin]
        degree = np.uint64(saves.pin_offsets[pin + 1] - begin)
        pool.edge[lane] = begin + np.int64(((bits >> _HALF) * degree) >> _HALF)
        pool.bits[lane] = bits & _LOW
    for lane in range(lanes):
        board = saves.pin_boards[pool.edge[lane]]
        begin = saves.board_offsets[board]
        degree = np.uint64(saves.board_offsets[board + 1] - begin)
        pool.edge[lane] = begin + np.int64((pool.bits[lane] * degree) >> _HALF)
    for lane in range(lanes):
        pool.pin[lane] = saves.board_pins[pool.edge[lane]]


@njit(nogil=True, cache=True)
def _place(pin: np.int32, bits: int) -> np.int64:
    return np.int64(((np.uint64(pin) * np.uint64(2654435769)) & _LOW) >> np.uint64(32 - bits))


@njit(nogil=True, cache=True)
def _add_visit(entries: NDArray[np.int64], base: np.int64, bits: int, pin: np.int32) -> np.int64:
    """Count a visit in the C entries from `base` on; returns the place of a pin that is new there, -1 for others."""
    mask, place = (np.int64(1) << bits) - 1, _place(pin, bits)
    while True:
        entry = entries[base + place]
        if entry == _EMPTY:
            entries[base + place] = (np.int64(pin) << 32) | 1
            return place
        if entry >> 32 == pin:
            entries[base + place] = entry + 1
            return np.int64(-1)
        place = (place + 1) & mask


@njit(nogil=True, cache=True)
def _count_and_stop(pool: Pool, counter: Counter, walks: Walks, pins: NDArray[np.int32], lanes: int) -> int:
    """Count where every lane is, end some walks by chance, and close the ranks of those that go on."""
    entries, used, num_used, bits, most = counter  # passing the tuple on from this loop would double its time
    alive = 0
    for lane in range(lanes):
        slot, pin = pool.slot[lane], pool.pin[lane]
        if pin != pins[slot]:
            place = _add_visit(entries, np.int64(slot) << bits, bits, pin)
            if place >= 0:
                used[slot * most + num_used[slot]] = place
                num_used[slot] += 1
        state = pool.state[lane] + _GOLDEN
        pool.state[alive], pool.slot[alive], pool.pin[alive] = state, slot, pin
        alive += int((mixed(state) >> _HALF) >= walks.stop_below)
    return alive


@njit(nogil=True, cache=True)
def _visit(pool: Pool, counter: Counter, saves: Saves, walks: Walks, pins: NDArray[np.int32]) -> int:
    """Walk all walks of a few pins; their visit counts are in the counter then. Returns traversals made."""
    traversals = 0
    for first in range(0, walks.num_walks, LANES):
        lanes = _start(pool, saves, walks, pins, first, min(first + LANES, walks.num_walks))
        for _ in range(walks.max_hops):
            _traverse(pool, saves, lanes)
            traversals += lanes
            lanes = _count_and_stop(pool, counter, walks, pins, lanes)
    return traversals


@njit(nogil=True, cache=True)
def move_largest_first(keys: NDArray[np.uint64], begin: int, end: int, count: int) -> None:
    """Reorder keys[begin:end], all different, so that its `count` largest come first, in no order (Hoare's select)."""
    low, high, cut = begin, end - 1, begin + count
    while low < high and begin < cut < end:
        first, middle, last = keys[low], keys[(low + high) >> 1], keys[high]
        pivot = max(min(first, middle), min(max(first, middle), last))
        left, right = low, high
        while left <= right:
            while keys[left] > pivot:
                left += 1
            while keys[right] < pivot:
                right -= 1
            if left <= right:
                keys[left], keys[right] = keys[right], keys[left]
                left += 1
                right -= 1
        if cut <= right:
            high = right
        elif cut > left:
            low = left
        else:
            return


@njit(nogil=True, cache=True)
def _keep_top(
    counter: Counter, slot: int, keys: NDArray[np.uint64], pins: NDArray[np.int32], weights: NDArray[np.float32]
) -> None:
    """Empty the counter of one start pin into its row: heaviest first, of equals the smaller pin first."""
    entries, used, num_used, bits, most = counter
    found, base = num_used[slot], np.int64(slot) << bits
    for index in range(found):
        place = base + used[slot * most + index]
        entry = np.uint64(entries[place])
        keys[index] = (entry << _HALF) | (_LOW - (entry >> _HALF))
        entries[place] = _EMPTY
    num_used[slot] = 0
    kept, total = min(found, len(pins)), np.uint64(0)
    move_largest_first(keys, 0, found, kept)
    keys[:kept].sort()
    for index in range(kept):
        total += keys[index] >> _HALF
    for index in range(kept):
        key = keys[kept - 1 - index]
        pins[index] = np.int32(_LOW - (key & _LOW))
        weights[index] = np.float32(np.float64(key >> _HALF) / np.float64(total))


@njit(nogil=True, cache=True)
def fill_top(
    pool: Pool,
    counter: Counter,
    saves: Saves,
    walks: Walks,
    pins: NDArray[np.int32],
    top: NDArray[np.int32],
    weights: NDArray[np.float32],
) -> int:
    """Fill `top` and `weights` [Q, T] for every pin of `pins`; returns the traversals made."""
    group, traversals = len(counter.num_used), 0
    keys = np.empty(counter.most, np.uint64)
    for first in range(0, len(pins), group):
        some = pins[first : first + group]
        traversals += _visit(pool, counter, saves, walks, some)
        for slot in range(len(some)):
            _keep_top(counter, slot, keys, top[first + slot], weights[first + slot])
    return traversals


@njit(nogil=True, cache=True)
def scrambled(pin: np.uint64, key: np.uint64) -> np.uint64:
    """Another 32-bit number for each pin, in an order of its own for each 32-bit key (MurmurHash3's finalizer)."""
    bits = pin ^ key
    bits = ((bits ^ (bits >> np.uint64(16))) * np.uint64(0x85EBCA6B)) & _LOW
    bits = ((bits ^ (bits >> np.uint64(13))) * np.uint64(0xC2B2AE35)) & _LOW
    return bits ^ (bits >> np.uint64(16))


@njit(nogil=True, cache=True)
def unscrambled(bits: np.uint64, key: np.uint64) -> np.uint64:
    """The pin that `scrambled` made `bits` of."""
    bits = ((bits ^ (bits >> np.uint64(16))) * np.uint64(0x7ED1B41D)) & _LOW
    bits = ((bits ^ (bits >> np.uint64(13)) ^ (bits >> np.uint64(26))) * np.uint64(0xA5CB9243)) & _LOW
    return (bits ^ (bits >> np.uint64(16))) ^ key


@njit(nogil=True, cache=True)
def _forget(counter: Counter, slot: int, pin: np.int32) -> None:
    """Set a pin's count to 0, if it was visited at all; its place stays taken."""
    entries, bits = counter.entries, counter.bits
    base, mask, place = np.int64(slot) << bits, (np.int64(1) << bits) - 1, _place(pin, bits)
    while entries[base + place] != _EMPTY:
        if entries[base + place] >> 32 == pin:
            entries[base + place] = np.int64(pin) << 32
            return
        place = (place + 1) & mask


@njit(nogil=True, cache=True)
def _ranked(counter: Counter, slot: int, keys: NDArray[np.uint64], key: np.uint64) -> int:
    """Empty the counter of one start pin into keys that sort by visits, equals in random order; returns how many."""
    entries, used, num_used, bits, most = counter
    base, ranked = np.int64(slot) << bits, 0
    for index in range(num_used[slot]):
        place = base + used[slot * most + index]
        entry = np.uint64(entries[place])
        if entry & _LOW:
            keys[ranked] = (entry << _HALF) | scrambled(entry >> _HALF, key)
            ranked += 1
        entries[place] = _EMPTY
    num_used[slot] = 0
    return ranked


@njit(nogil=True, cache=True)
def _keep_band(keys: NDArray[np.uint64], ranked: int, ranks: Ranks, start: np.uint64, out: NDArray[np.int32]) -> None:
    """Fill `out` with a random sample, in random order, of the keys whose ranks are in the band."""
    order, sample = start & _LOW, start >> _HALF
    low = min(ranks.first, ranked // 2)
    high = min(ranked, max(ranks.last, low + len(out)))
    move_largest_first(keys, 0, ranked, high)
    move_largest_first(keys, 0, high, low)
    for index in range(low, high):
        keys[index] = scrambled(unscrambled(keys[index] & _LOW, order), sample)
    kept = min(len(out), high - low)
    move_largest_first(keys, low, high, kept)
    keys[low : low + kept].sort()
    for index in range(kept):
        out[index] = np.int32(unscrambled(keys[low + kept - 1 - index], sample))


@njit(nogil=True, cache=True)
def fill_band(
    pool: Pool,
    counter: Counter,
    saves: Saves,
    walks: Walks,
    pins: NDArray[np.int32],
    neighbors: NDArray[np.int32],
    ranks: Ranks,
    out: NDArray[np.int32],
) -> int:
    """Fill `out` [Q, H] with pins of a band of ranks for every pin of `pins`; returns the traversals made."""
    group, traversals = len(counter.num_used), 0
    keys = np.empty(counter.most, np.uint64)
    for begin in range(0, len(pins), group):
        some = pins[begin : begin + group]
        traversals += _visit(pool, counter, saves, walks, some)
        for slot in range(len(some)):
            pin, taken = some[slot], 0
            for neighbor in neighbors[begin + slot]:
                if neighbor != pin and neighbor >= 0:
                    _forget(counter, slot, neighbor)
                    taken += 1
            start = stream(walks.seed, pin)
            ranked = _ranked(counter, slot, keys, start & _LOW)
            after = Ranks(max(ranks.first - 1 - taken, 0), ranks.last - taken)
            _keep_band(keys, ranked, after, start, out[begin + slot])
    return traversals
