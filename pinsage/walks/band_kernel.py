"""Compiled sampling of a band of ranks: pins that walks visit less than the neighbors, the hard negatives.

Letters: Q query pins, T neighbors, H candidates per pin.
"""

# mypy: disable-error-code="assignment, arg-type, call-overload, no-any-return"
# (Inside compiled functions numbers are numba's, which mix where NumPy's scalar types do not.)

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pinsage.compiled.hash import HALF, LOW, scramble, stream, unscramble
from pinsage.compiled.selection import move_largest_first
from pinsage.compiled.table import find
from pinsage.walks.visit_kernel import Counter, Hops, Pool, Walks, visit


class Ranks(NamedTuple):
    """A band of ranks, both ends included; rank 1 was visited most."""

    first: int
    last: int


@njit(nogil=True, cache=True)
def _find(counter: Counter, slot: int, pin: np.uint64) -> np.int64:
    """Find the place of a pin in the counter of one start pin, or the free place for it."""
    return find(counter.entries, counter.bits, np.int64(slot) << counter.bits, pin)


@njit(nogil=True, cache=True)
def _forget(counter: Counter, slot: int, row: np.uint64) -> None:
    """Leave a pin out of the ranking, if it was visited at all: its count becomes one that no walks reach."""
    place = _find(counter, slot, row >> HALF)
    if counter.entries[place] != 0:
        counter.entries[place] |= LOW


@njit(nogil=True, cache=True)
def _sort_keys(counter: Counter, slot: int, keys: NDArray[np.uint64], key: np.uint64) -> int:
    """Turn the counts of one start pin into keys that sort by visits, equals in random order; returns how many."""
    base, first, ranked = np.int64(slot) << counter.bits, slot * (counter.most + 1), 0
    for index in range(first, first + counter.num_used[slot]):
        entry = counter.entries[base + counter.used[index]]
        if entry & LOW != LOW:
            keys[ranked] = (entry << HALF) | scramble(entry >> HALF, key)
            ranked += 1
    return ranked


@njit(nogil=True, cache=True)
def _keep_band(keys: NDArray[np.uint64], ranked: int, ranks: Ranks, start: np.uint64, wanted: int) -> tuple[int, int]:
    """Leave a random sample of a band of ranks, in random order, at keys[low:high]; returns low and high."""
    order, sample = start & LOW, start >> HALF
    # Where too few pins were visited to reach the band, the less visited half of them stands for it.
    low = min(ranks.first, ranked // 2)
    high = min(ranked, max(ranks.last, low + wanted))
    # Two selections cut out the band in linear time; a sort of all pins visited would order far more than is kept.
    move_largest_first(keys, 0, ranked, high)
    move_largest_first(keys, 0, high, low)
    for index in range(low, high):
        # A second order, or the sample would prefer the pins that the first one prefers among equals.
        keys[index] = scramble(unscramble(keys[index] & LOW, order), sample)
    kept = min(wanted, high - low)
    move_largest_first(keys, low, high, kept)
    # These keys are random numbers: sorted by them the pins are in random order, one that no other pin changes.
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
    # Equals in an order of this query's own: by pin, the same pins would be hard negatives of everyone.
    ranked = _sort_keys(counter, slot, keys, start & LOW)
    # The neighbors were taken out from the top, which moves everyone else up by as many ranks.
    after = Ranks(max(ranks.first - 1 - taken, 0), ranks.last - taken)
    low, high = _keep_band(keys, ranked, after, start, len(out))
    for index in range(low, high):
        # A key holds the pin's own offset, scrambled: no table leads from keys back to pins.
        place = _find(counter, slot, unscramble(keys[index], start >> HALF))
        out[index - low] = hops.board_pins[np.int64(counter.edges[place])]
    _empty(counter, slot)


@njit(nogil=True, cache=True)
def _empty(counter: Counter, slot: int) -> None:
    base, first = np.int64(slot) << counter.bits, slot * (counter.most + 1)
    for index in range(first, first + counter.num_used[slot]):
        counter.entries[base + counter.used[index]] = 0
    counter.num_used[slot] = 0


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
        traversals += visit(pool, counter, hops, walks, some)
        for slot in range(len(some)):
            band = (ranks, stream(walks.seed, some[slot]))
            _fill_row(counter, hops, some[slot], keys, band, neighbors[begin + slot], slot, out[begin + slot])
    return traversals
