"""Compiled ranking of visit counts: the pins that walks from each pin visit most.

Letters: Q query pins, T neighbors.
"""

# mypy: disable-error-code="assignment, arg-type, call-overload, no-any-return"
# (Inside compiled functions numbers are numba's, which mix where NumPy's scalar types do not.)

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pinsage.compiled.hash import LOW
from pinsage.compiled.prefetch import prefetch
from pinsage.walks.visit_kernel import Counter, Hops, Pool, Walks, visit


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
            # Counts are small whole numbers: sorting by counting takes one pass, and keeps the order of first visits.
            tally[count] += 1
            most_visits = max(most_visits, count)
        kept = min(after - first, chosen.shape[1])
        least = _rank_counts(tally, most_visits, kept)
        for index in range(first, after):
            place = base + used[index]
            count = np.int64(entries[place] & LOW)
            # Cleared on the way, place by place: the counter is far larger than what a pin visits.
            entries[place] = 0
            rank = tally[count]
            # Pins that share the least count fill the ranks that are left, as they were first visited; the others go.
            if count >= least and rank < kept:
                chosen[row, rank], weights[row, rank] = edges[place] + np.uint32(1), count
                # The pin of a save is read after all rows are chosen, when this line has come.
                prefetch(board_pins, np.int64(edges[place]))
                tally[count] += 1
                total += count
        for count in range(most_visits + 1):
            tally[count] = 0
        num_used[slot] = 0
        for rank in range(kept):
            # By the visits to the pins that are kept, not by all: the weights of a row sum to 1 (PinSage §3.2).
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
        # The next group's rows arrive while this one walks.
        for index in range(first + group, min(first + 2 * group, len(pins))):
            prefetch(hops.pin_rows, np.int64(pins[index]))
        traversals += visit(pool, counter, hops, walks, some)
        _choose_top(counter, board_pins, chosen, weights, first, len(some))
        for row in range(first, first + len(some)):
            for rank in range(top.shape[1]):
                edge = np.int64(chosen[row, rank]) - 1
                top[row, rank] = board_pins[edge] if edge >= 0 else -1
    return traversals
