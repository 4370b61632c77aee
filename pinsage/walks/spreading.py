"""Compiled expected visits: instead of walking, mass is spread over the graph and read off for the pins that matter.

One unit of mass starts at a pin and moves as walks would, on average. Spreading is exact where it is cheap: a row whose
saves would carry at least `1 / budget` each is read whole, any other gets a few random saves of `1 / budget`, so that a
spread reads at most `budget + 1` saves, whatever the degrees, and is right on average.

The last step, from boards to pins, is where sampling would cost most accuracy, because mass spreads thin there. It is
turned round: for each pin that may be among the best, add up what its boards hold for it.

A row is known by `offset << 32 | degree`, as in HopTables. Letters: Q query pins, T neighbors, S saves, C places.
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

_FILTER_BITS = 16
_UNIT = 2.0**-32


class Side(NamedTuple):
    """One way across the saves: where each leads, [S], and the share of its row each gets (empty: all alike)."""

    hops: NDArray[np.uint64]
    shares: NDArray[np.float32]


class Graph(NamedTuple):
    """HopTables as these kernels take them; `back` float32 [S], by pin, is what share of its board a save gets."""

    pin_rows: NDArray[np.uint64]
    to_boards: Side
    to_pins: Side
    back: NDArray[np.float32]
    board_pins: NDArray[np.int32]


class Plan(NamedTuple):
    """How far and how finely mass is spread, and how many pins are looked at closely.

    Attributes:
        max_hops: traversals.
        go_on: the share of walks that go on after a traversal.
        budget: saves that mass is carried over in either half of the first traversal, at most.
        later_budget: the same for later traversals.
        probes: saves that show how much later traversals come back to pins known from the first.
        candidates: pins whose visits are computed from all their boards.
        longest: saves of a candidate that are read at most, evenly spaced.
        seed: of the random saves.
    """

    max_hops: int
    go_on: np.float32
    budget: int
    later_budget: int
    probes: int
    candidates: int
    longest: int
    seed: np.uint64


class Masses(NamedTuple):
    """A mass per row, by open addressing.

    Attributes:
        rows: uint64 [C], 0 where empty.
        mass: float32 [C].
        edges: uint32 [C], a save that led to the row.
        used: int32 [C], the filled places in the order they were filled.
        bits: C is two to this power.
    """

    rows: NDArray[np.uint64]
    mass: NDArray[np.float32]
    edges: NDArray[np.uint32]
    used: NDArray[np.int32]
    bits: int


class Rows(NamedTuple):
    """Rows that spread: what each has; then how many of its saves, from which on, get how much. Each [C]."""

    rows: NDArray[np.uint64]
    mass: NDArray[np.float32]
    first: NDArray[np.int64]
    count: NDArray[np.int64]
    each: NDArray[np.float32]


class Gear(NamedTuple):
    """Room to work in: masses of pins, of boards, and of a spread under way; rows; keys uint64 [C]; a filter.

    `num_read` int64 [1] counts the saves that were read.
    """

    pins: Masses
    boards: Masses
    passing: Masses
    rows: Rows
    keys: NDArray[np.uint64]
    filter: NDArray[np.uint64]
    num_read: NDArray[np.int64]


@njit(nogil=True, cache=True)
def _find(masses: Masses, offset: np.uint64) -> np.int64:
    """Where the row at an offset is, or the empty place where it would be."""
    mask, place = (np.int64(1) << masses.bits) - 1, place_of(offset, masses.bits)
    while masses.rows[place] >> HALF != offset and masses.rows[place] != 0:
        place = (place + 1) & mask
    return place


@njit(nogil=True, cache=True)
def _clear(masses: Masses, count: int) -> None:
    for index in range(count):
        masses.rows[masses.used[index]] = 0
        masses.mass[masses.used[index]] = 0


@njit(nogil=True, cache=True)
def _copy(masses: Masses, count: int, rows: Rows) -> None:
    for index in range(count):
        place = masses.used[index]
        rows.rows[index], rows.mass[index] = masses.rows[place], masses.mass[place]


@njit(nogil=True, cache=True)
def _plan_rows(rows: Rows, num_rows: int, budget: int, side: Side, state: np.uint64) -> tuple[int, np.uint64]:
    """Decide which saves of each row get how much; rows that get none are dropped. Returns rows left and the state.

    Rows too thin to be read whole share one ruler, laid over their masses end to end: a row gets a save for every mark
    that falls on it (systematic sampling), so that the saves of all are `budget` times their mass, to within one.
    """
    quantum, ruler, left = np.float32(1.0 / budget), np.float64(mixed(state) >> HALF) * _UNIT, 0
    for index in range(num_rows):
        row, mass = rows.rows[index], rows.mass[index]
        degree = np.int64(row & LOW)
        first, count, each = np.int64(0), degree, mass / np.float32(degree)
        if each < quantum:
            state += GOLDEN
            first = np.int64(((mixed(state) >> HALF) * np.uint64(degree)) >> HALF)
            ruler += np.float64(mass) * budget
            count, each = min(np.int64(ruler), degree), quantum
            ruler -= np.int64(ruler)
        rows.rows[left], rows.first[left], rows.count[left], rows.each[left] = row, first, count, each
        prefetch(side.hops, np.int64(row >> HALF) + first)
        left += np.int64(count > 0)
    return left, state + GOLDEN


@njit(nogil=True, cache=True)
def _pour(rows: Rows, num_rows: int, side: Side, into: Masses, num_read: NDArray[np.int64]) -> int:
    """Add what was planned to the masses of the rows that the saves lead to; returns how many rows got some.

    A row's saves are evenly spaced from a random one on, round its end: each is as likely as any other, and neighbors,
    which may be alike, do not come together.
    """
    table, mass, edges, used, bits = into
    hops, shares = side
    filled, mask, has_shares = 0, (np.int64(1) << bits) - 1, len(shares) > 0
    for index in range(num_rows):
        row, first, each = rows.rows[index], rows.first[index], rows.each[index]
        begin, degree = np.int64(row >> HALF), np.int64(row & LOW)
        num_read[0] += rows.count[index]
        stride = degree // rows.count[index]
        for step in range(rows.count[index]):
            edge = first + step * stride
            edge += begin - (degree if edge >= degree else 0)
            to = hops[edge]
            place = place_of(to >> HALF, bits)
            while (table[place] != to) & (table[place] != 0):
                place = (place + 1) & mask
            used[filled] = place
            filled += np.int64(table[place] == 0)
            table[place], edges[place] = to, edge
            mass[place] += each * np.float32(degree) * shares[edge] if has_shares else each
    return filled


@njit(nogil=True, cache=True)
def _first_traversal(graph: Graph, gear: Gear, plan: Plan, row: np.uint64, state: np.uint64) -> tuple[int, np.uint64]:
    """Leave in `pins` how often walks are at each pin after one traversal; returns how many pins, and the state."""
    rows = gear.rows
    rows.rows[0], rows.mass[0] = row, 1.0
    left, state = _plan_rows(rows, 1, plan.budget, graph.to_boards, state)
    reached = _pour(rows, left, graph.to_boards, gear.passing, gear.num_read)
    _copy(gear.passing, reached, rows)
    _clear(gear.passing, reached)
    left, state = _plan_rows(rows, reached, plan.budget, graph.to_pins, state)
    return _pour(rows, left, graph.to_pins, gear.pins, gear.num_read), state


@njit(nogil=True, cache=True)
def _add_boards(boards: Masses, filled: int, rows: Rows, count: int) -> int:
    for index in range(count):
        place = _find(boards, rows.rows[index] >> HALF)
        boards.used[filled] = place
        filled += np.int64(boards.rows[place] == 0)
        boards.rows[place] = rows.rows[index]
        boards.mass[place] += rows.mass[index]
    return filled


@njit(nogil=True, cache=True)
def _later_traversals(graph: Graph, gear: Gear, plan: Plan, found: int, state: np.uint64) -> tuple[int, np.uint64]:
    """Leave in `boards` how often walks pass each board from the second traversal on; returns how many, the state."""
    rows, passing, boards = gear.rows, gear.passing, 0
    _copy(gear.pins, found, rows)
    for hop in range(1, plan.max_hops):
        for index in range(found):
            rows.mass[index] *= plan.go_on
        left, state = _plan_rows(rows, found, plan.later_budget, graph.to_boards, state)
        reached = _pour(rows, left, graph.to_boards, passing, gear.num_read)
        _copy(passing, reached, rows)
        _clear(passing, reached)
        boards = _add_boards(gear.boards, boards, rows, reached)
        if hop + 1 < plan.max_hops:
            left, state = _plan_rows(rows, reached, plan.later_budget, graph.to_pins, state)
            found = _pour(rows, left, graph.to_pins, passing, gear.num_read)
            _copy(passing, found, rows)
            _clear(passing, found)
    return boards, state


@njit(nogil=True, cache=True)
def _probe(graph: Graph, gear: Gear, plan: Plan, counts: tuple[int, int], state: np.uint64) -> tuple[int, np.float32]:
    """Sample where later traversals end. Returns all pins there are then, and the mass that fell on those known before.

    Where few pins are known, the others found are put among them, their sampled mass with a minus.
    """
    found, boards = counts
    rows, pins, passing, known, few = gear.rows, gear.pins, gear.passing, np.float32(0), found <= plan.candidates
    _copy(gear.boards, boards, rows)
    left, state = _plan_rows(rows, boards, plan.later_budget if few else plan.probes, graph.to_pins, state)
    reached = _pour(rows, left, graph.to_pins, passing, gear.num_read)
    for index in range(reached):
        here = passing.used[index]
        place = _find(pins, passing.rows[here] >> HALF)
        if pins.rows[place] != 0:
            known += passing.mass[here]
        elif few:
            pins.used[found] = place
            found += 1
            pins.rows[place], pins.mass[place] = passing.rows[here], -passing.mass[here]
            pins.edges[place] = passing.edges[here]
    _clear(passing, reached)
    return found, known


@njit(nogil=True, cache=True)
def _key(mass: np.float32, row: np.uint64, order: np.uint64) -> np.uint64:
    """A number that sorts by mass, equals in random order: the bits of positive floats sort as the floats do."""
    return (np.uint64(np.float32(mass).view(np.uint32)) << HALF) | scrambled(row >> HALF, order)


@njit(nogil=True, cache=True)
def _list_pins(gear: Gear, found: int, later: np.float32, origin: np.uint64, order: np.uint64) -> int:
    """Leave the keys of the pins found, without the origin, in `keys`; returns how many.

    A pin counts for its visits in the first traversal and, until it is looked at, for its share by degree of the
    `later` visits of all these pins: walks forget where they began, and are at a pin as often as its degree says then.
    """
    pins, count, saves = gear.pins, 0, np.float32(0)
    for index in range(found):
        saves += np.float32(pins.rows[pins.used[index]] & LOW)
    for index in range(found):
        place = pins.used[index]
        row = pins.rows[place]
        gear.keys[count] = _key(abs(pins.mass[place]) + later * np.float32(row & LOW) / saves, row, order)
        count += np.int64(row != origin)
    return count


@njit(nogil=True, cache=True)
def _filter_place(row: np.uint64) -> tuple[np.int64, np.uint64]:
    place = place_of(row >> HALF, _FILTER_BITS)
    return place >> 6, np.uint64(1) << np.uint64(place & 63)


@njit(nogil=True, cache=True)
def _share_out(gear: Gear, boards: int, has_shares: bool) -> None:
    """Turn what each board has into what it has for one of its pins, and note the boards in the filter."""
    for index in range(boards):
        place = gear.boards.used[index]
        row = gear.boards.rows[place]
        if not has_shares:
            gear.boards.mass[place] /= np.float32(row & LOW)
        word, bit = _filter_place(row)
        gear.filter[word] |= bit


@njit(nogil=True, cache=True)
def _gathered(graph: Graph, gear: Gear, row: np.uint64, longest: int, drawn: np.uint64) -> np.float32:
    """What the boards of a pin hold for it; of a long row every n-th save is read, from a random one on."""
    hops, back, seen = graph.to_boards.hops, graph.back, gear.filter
    table, mass, bits = gear.boards.rows, gear.boards.mass, gear.boards.bits
    begin, degree, mask = np.int64(row >> HALF), np.int64(row & LOW), (np.int64(1) << bits) - 1
    stride = max(1, (degree + longest - 1) // longest)
    total, has_shares = np.float32(0), len(back) > 0
    for edge in range(begin + np.int64(drawn % np.uint64(stride)), begin + degree, stride):
        board = hops[edge]
        word, bit = _filter_place(board)
        if seen[word] & bit:
            place = place_of(board >> HALF, bits)
            while (table[place] != board) & (table[place] != 0):
                place = (place + 1) & mask
            total += mass[place] * back[edge] if has_shares else mass[place]
    return total * np.float32(stride)


@njit(nogil=True, cache=True)
def _look_closely(graph: Graph, gear: Gear, plan: Plan, count: int, order: np.uint64) -> int:
    """Leave in `keys` the best candidates, by their visits in full; returns how many."""
    keys, pins = gear.keys, gear.pins
    kept = min(count, plan.candidates)
    move_largest_first(keys, 0, count, kept)
    for index in range(kept):
        offset = unscrambled(keys[index] & LOW, order)
        prefetch(graph.to_boards.hops, np.int64(offset))
        keys[index] = np.uint64(_find(pins, offset))
    for index in range(kept):
        place = np.int64(keys[index])
        row = pins.rows[place]
        gear.num_read[0] += min(np.int64(row & LOW), plan.longest)
        more = _gathered(graph, gear, row, plan.longest, scrambled(row >> HALF, order))
        pins.mass[place] = max(pins.mass[place], np.float32(0)) + more
        keys[index] = _key(pins.mass[place], row, order)
    return kept


@njit(nogil=True, cache=True)
def _keep_top(
    graph: Graph, gear: Gear, found: tuple[int, np.uint64], top: NDArray[np.int32], weights: NDArray[np.float32]
) -> None:
    """Fill the row of one query from the keys: heaviest first, weights summing to 1."""
    count, order = found
    keys, pins, total, kept = gear.keys, gear.pins, 0.0, 0
    move_largest_first(keys, 0, count, min(count, len(top)))
    keys[: min(count, len(top))].sort()
    for index in range(min(count, len(top)) - 1, -1, -1):
        place = _find(pins, unscrambled(keys[index] & LOW, order))
        if pins.mass[place] > 0:
            top[kept] = graph.board_pins[np.int64(pins.edges[place])]
            weights[kept] = pins.mass[place]
            total += pins.mass[place]
            kept += 1
    for index in range(kept):
        weights[index] = np.float32(weights[index] / total)


@njit(nogil=True, cache=True)
def _fill_row(
    graph: Graph, gear: Gear, plan: Plan, pin: np.int32, top: NDArray[np.int32], weights: NDArray[np.float32]
) -> None:
    origin, start = graph.pin_rows[pin], stream(plan.seed, pin)
    if origin & LOW == 0:
        return  # an isolated pin has nowhere to go
    order, has_shares = start & LOW, len(graph.back) > 0
    found, state = _first_traversal(graph, gear, plan, origin, start)
    boards, state = _later_traversals(graph, gear, plan, found, state)
    later = np.float32(0)
    if boards:
        found, later = _probe(graph, gear, plan, (found, boards), state)
    count = _list_pins(gear, found, later, origin, order)
    if boards:
        _share_out(gear, boards, has_shares)
        count = _look_closely(graph, gear, plan, count, order)
    _keep_top(graph, gear, (count, order), top, weights)
    _clear(gear.pins, found)
    for index in range(boards):
        gear.filter[_filter_place(gear.boards.rows[gear.boards.used[index]])[0]] = 0
    _clear(gear.boards, boards)


@njit(nogil=True, cache=True)
def fill_expected(
    graph: Graph, gear: Gear, plan: Plan, pins: NDArray[np.int32], top: NDArray[np.int32], weights: NDArray[np.float32]
) -> int:
    """Fill `top` and `weights` [Q, T] for every pin of `pins`; returns how many saves were read."""
    gear.num_read[0] = 0
    for row in range(len(pins)):
        _fill_row(graph, gear, plan, pins[row], top[row], weights[row])
    return gear.num_read[0]
