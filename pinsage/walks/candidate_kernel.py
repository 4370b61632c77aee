"""Compiled look at the candidates: what walks visit, added up in full for the pins that may be among the best.

The last step, from boards to pins, is where sampling would cost most accuracy, because mass spreads thin there. It is
turned round: for each pin that may be among the best, add up what its boards hold for it.

A row is known by `offset << 32 | degree`, as in HopTables.
"""

# mypy: disable-error-code="assignment, arg-type, call-overload, no-any-return"
# (Inside compiled functions numbers are numba's, which mix where NumPy's scalar types do not.)

import numpy as np
from numba import njit

from pinsage.compiled.hash import HALF, LOW, scramble, unscramble
from pinsage.compiled.prefetch import prefetch
from pinsage.compiled.selection import move_largest_first
from pinsage.compiled.table import find, place_of
from pinsage.walks.push_kernel import Graph, Plan, Workspace, clear, copy, find_row, plan_rows, push

_FILTER_BITS = 16


@njit(nogil=True, cache=True)
def probe(
    graph: Graph, workspace: Workspace, plan: Plan, counts: tuple[int, int], state: np.uint64
) -> tuple[int, np.float32]:
    """Sample where later traversals end. Returns all pins there are then, and the mass that fell on those known before.

    Where few pins are known, the others found are put among them, their sampled mass with a minus.
    """
    found, boards = counts
    rows, pins, passing, known, few = (
        workspace.rows,
        workspace.pins,
        workspace.passing,
        np.float32(0),
        found <= plan.candidates,
    )
    # The boards stay as they are: `refine_candidates` adds them up again for the candidates.
    copy(workspace.boards, boards, rows)
    # With few pins known the whole budget finds more; else a few probes tell how much comes back to those known.
    left, state = plan_rows(rows, boards, plan.later_budget if few else plan.probes, graph.to_pins, state)
    reached = push(rows, left, graph.to_pins, passing, workspace.num_read)
    for index in range(reached):
        here = passing.used[index]
        place = find_row(pins, passing.rows[here] >> HALF)
        if pins.rows[place] != 0:
            known += passing.mass[here]
        elif few:
            pins.used[found] = place
            found += 1
            # The minus tells a guess from a visit count of the first traversal, which the refinement must not lose.
            pins.rows[place], pins.mass[place] = passing.rows[here], -passing.mass[here]
            pins.edges[place] = passing.edges[here]
    clear(passing, reached)
    return found, known


@njit(nogil=True, cache=True)
def sort_key(mass: np.float32, row: np.uint64, order: np.uint64) -> np.uint64:
    """A number that sorts by mass, equals in random order: the bits of positive floats sort as the floats do."""
    return (np.uint64(np.float32(mass).view(np.uint32)) << HALF) | scramble(row >> HALF, order)


@njit(nogil=True, cache=True)
def list_pins(workspace: Workspace, found: int, later: np.float32, origin: np.uint64, order: np.uint64) -> int:
    """Leave the keys of the pins found, without the origin, in `keys`; returns how many.

    A pin counts for its visits in the first traversal and, until it is looked at, for its share by degree of the
    `later` visits of all these pins: walks forget where they began, and are at a pin as often as its degree says then.
    """
    pins, count, saves = workspace.pins, 0, np.float32(0)
    for index in range(found):
        # The degree is the lower half of the row's word: no second table is read.
        saves += np.float32(pins.rows[pins.used[index]] & LOW)
    for index in range(found):
        place = pins.used[index]
        row = pins.rows[place]
        # Written always, kept by the count: the origin, met once, is overwritten by whoever comes next.
        workspace.keys[count] = sort_key(abs(pins.mass[place]) + later * np.float32(row & LOW) / saves, row, order)
        count += np.int64(row != origin)
    return count


@njit(nogil=True, cache=True)
def filter_place(row: np.uint64) -> tuple[np.int64, np.uint64]:
    """The word of the filter and the bit in it that stand for a row: most boards that hold nothing are told by it."""
    place = place_of(row >> HALF, _FILTER_BITS)
    return place >> 6, np.uint64(1) << np.uint64(place & 63)


@njit(nogil=True, cache=True)
def share_out(workspace: Workspace, boards: int, has_shares: bool) -> None:
    """Turn what each board has into what it has for one of its pins, and note the boards in the filter."""
    for index in range(boards):
        place = workspace.boards.used[index]
        row = workspace.boards.rows[place]
        # With weights the saves of a board get unequal parts, which `back` has: there is no one part to store.
        if not has_shares:
            workspace.boards.mass[place] /= np.float32(row & LOW)
        word, bit = filter_place(row)
        workspace.filter[word] |= bit


@njit(nogil=True, cache=True)
def _sum_boards(graph: Graph, workspace: Workspace, row: np.uint64, longest: int, drawn: np.uint64) -> np.float32:
    """Sum the mass on the boards of a pin; of a long row every n-th save is read, from a random one on."""
    hops, back, seen = graph.to_boards.hops, graph.back, workspace.filter
    table, mass, bits = workspace.boards.rows, workspace.boards.mass, workspace.boards.bits
    begin, degree = np.int64(row >> HALF), np.int64(row & LOW)
    stride = max(1, (degree + longest - 1) // longest)
    total, has_shares = np.float32(0), len(back) > 0
    for edge in range(begin + np.int64(drawn % np.uint64(stride)), begin + degree, stride):
        board = hops[edge]
        word, bit = filter_place(board)
        # 8 KB of filter stay in the first-level cache; the table, a miss for each board, is asked only about likely
        # ones.
        if seen[word] & bit:
            place = find(table, bits, 0, board >> HALF)
            total += mass[place] * back[edge] if has_shares else mass[place]
    # Each save that was read stands for `stride` of them.
    return total * np.float32(stride)


@njit(nogil=True, cache=True)
def refine_candidates(graph: Graph, workspace: Workspace, plan: Plan, count: int, order: np.uint64) -> int:
    """Leave in `keys` the best candidates, by their visits in full; returns how many."""
    keys, pins = workspace.keys, workspace.pins
    kept = min(count, plan.candidates)
    move_largest_first(keys, 0, count, kept)
    for index in range(kept):
        offset = unscramble(keys[index] & LOW, order)
        # Places first, then rows: the second loop finds in the cache what the first one asked for.
        prefetch(graph.to_boards.hops, np.int64(offset))
        keys[index] = np.uint64(find_row(pins, offset))
    for index in range(kept):
        place = np.int64(keys[index])
        row = pins.rows[place]
        workspace.num_read[0] += min(np.int64(row & LOW), plan.longest)
        more = _sum_boards(graph, workspace, row, plan.longest, scramble(row >> HALF, order))
        # A sampled mass (below 0) gives way to the full sum; the first traversal's visits stay beside it.
        pins.mass[place] = max(pins.mass[place], np.float32(0)) + more
        keys[index] = sort_key(pins.mass[place], row, order)
    return kept
