"""Compiled forward push: instead of walking, one unit of mass moves over the graph as walks would on average.

Pushing is exact where it is cheap: a row whose saves would carry at least `1 / budget` each is read whole, any other
gets a few random saves of `1 / budget`, so that a push reads at most `budget + 1` saves, whatever the degrees, and is
right on average.

A row is known by `offset << 32 | degree`, as in HopTables. Letters: S saves, C places.
"""

# mypy: disable-error-code="assignment, arg-type, call-overload, no-any-return"
# (Inside compiled functions numbers are numba's, which mix where NumPy's scalar types do not.)

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pinsage.compiled.hash import GOLDEN, HALF, LOW, mix
from pinsage.compiled.prefetch import prefetch
from pinsage.compiled.table import find

_UNIT = 2.0**-32


class Side(NamedTuple):
    """One way across the saves: the row each leads to, [S], and its share of its own row (empty: all alike)."""

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
    """The depth and the precision of a forward push, and the number of candidates looked at closely.

    Attributes:
        max_traversals: how far walks go.
        go_on: the share of walks that go on after a traversal.
        budget: saves that mass is carried over in either half of the first traversal, at most.
        later_budget: the same for later traversals.
        probes: saves that show how much later traversals come back to pins known from the first.
        candidates: pins whose visits are computed from all their boards.
        longest: saves of a candidate that are read at most, evenly spaced.
        seed: of the random saves.
    """

    max_traversals: int
    go_on: np.float32
    budget: int
    later_budget: int
    probes: int
    candidates: int
    longest: int
    seed: np.uint64


class MassTable(NamedTuple):
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
    """Rows that pass on their mass: how many of their saves, from which on, get how much. Each [C]."""

    rows: NDArray[np.uint64]
    mass: NDArray[np.float32]
    first: NDArray[np.int64]
    count: NDArray[np.int64]
    each: NDArray[np.float32]


class Workspace(NamedTuple):
    """The workspace: tables of pins, of boards and of a push under way; rows; keys uint64 [C]; a filter.

    `num_read` int64 [1] counts the saves that were read.
    """

    pins: MassTable
    boards: MassTable
    passing: MassTable
    rows: Rows
    keys: NDArray[np.uint64]
    filter: NDArray[np.uint64]
    num_read: NDArray[np.int64]


@njit(nogil=True, cache=True)
def find_row(table: MassTable, offset: np.uint64) -> np.int64:
    """Find the place of the row at an offset, or the free place for it."""
    return find(table.rows, table.bits, 0, offset)


@njit(nogil=True, cache=True)
def clear(table: MassTable, count: int) -> None:
    """Empty the places that were filled, which are few: the whole table is never wiped."""
    for index in range(count):
        table.rows[table.used[index]] = 0
        table.mass[table.used[index]] = 0


@njit(nogil=True, cache=True)
def copy(table: MassTable, count: int, rows: Rows) -> None:
    """Copy the rows of a table and their masses, in the order in which they were reached."""
    for index in range(count):
        place = table.used[index]
        rows.rows[index], rows.mass[index] = table.rows[place], table.mass[place]


@njit(nogil=True, cache=True)
def plan_rows(rows: Rows, num_rows: int, budget: int, side: Side, state: np.uint64) -> tuple[int, np.uint64]:
    """Decide which saves of each row get how much; rows that get none are dropped. Returns rows left and the state.

    Rows too thin to be read whole share one ruler, laid over their table end to end: a row gets a save for every mark
    that falls on it (systematic sampling), so that the saves of all are `budget` times their mass, to within one.
    """
    quantum, ruler, left = np.float32(1.0 / budget), np.float64(mix(state) >> HALF) * _UNIT, 0
    for index in range(num_rows):
        row, mass = rows.rows[index], rows.mass[index]
        degree = np.int64(row & LOW)
        first, count, each = np.int64(0), degree, mass / np.float32(degree)
        # Too thin to be read whole: its saves would carry less than the quantum that the budget allows for.
        if each < quantum:
            state += GOLDEN
            first = np.int64(((mix(state) >> HALF) * np.uint64(degree)) >> HALF)
            ruler += np.float64(mass) * budget
            # Whole marks are spent, the remainder is carried to the next row: nothing is lost by rounding.
            count, each = min(np.int64(ruler), degree), quantum
            ruler -= np.int64(ruler)
        # Compacted in place, which is safe because `left` never overtakes `index`.
        rows.rows[left], rows.first[left], rows.count[left], rows.each[left] = row, first, count, each
        prefetch(side.hops, np.int64(row >> HALF) + first)
        left += np.int64(count > 0)
    return left, state + GOLDEN


@njit(nogil=True, cache=True)
def push(rows: Rows, num_rows: int, side: Side, into: MassTable, num_read: NDArray[np.int64]) -> int:
    """Add what was planned to the table of the rows that the saves lead to; returns how many rows got some.

    A row's saves are evenly spaced from a random one on, round its end: each is as likely as any other, and neighbors,
    which may be alike, do not come together.
    """
    table, mass, edges, used, bits = into
    hops, shares = side
    filled, has_shares = 0, len(shares) > 0
    for index in range(num_rows):
        row, first, each = rows.rows[index], rows.first[index], rows.each[index]
        begin, degree = np.int64(row >> HALF), np.int64(row & LOW)
        num_read[0] += rows.count[index]
        # At least 1, for no row was planned more saves than it has.
        stride = degree // rows.count[index]
        for step in range(rows.count[index]):
            edge = first + step * stride
            # Round the end of the row by a subtraction; a remainder would divide once for each save.
            edge += begin - (degree if edge >= degree else 0)
            to = hops[edge]
            place = find(table, bits, 0, to >> HALF)
            # Written always, kept by the count: whether a row is new cannot be predicted.
            used[filled] = place
            filled += np.int64(table[place] == 0)
            table[place], edges[place] = to, edge
            # Planned as if all saves were alike; with weights each takes its own share of the row's mass.
            mass[place] += each * np.float32(degree) * shares[edge] if has_shares else each
    return filled


@njit(nogil=True, cache=True)
def first_traversal(
    graph: Graph, workspace: Workspace, plan: Plan, row: np.uint64, state: np.uint64
) -> tuple[int, np.uint64]:
    """Leave in `pins` how often walks are at each pin after one traversal; returns how many pins, and the state."""
    rows = workspace.rows
    # One unit stands for all walks together, so that visits come out as shares.
    rows.rows[0], rows.mass[0] = row, 1.0
    left, state = plan_rows(rows, 1, plan.budget, graph.to_boards, state)
    reached = push(rows, left, graph.to_boards, workspace.passing, workspace.num_read)
    # Copied out before the table is cleared: the next push fills the same one.
    copy(workspace.passing, reached, rows)
    clear(workspace.passing, reached)
    left, state = plan_rows(rows, reached, plan.budget, graph.to_pins, state)
    return push(rows, left, graph.to_pins, workspace.pins, workspace.num_read), state


@njit(nogil=True, cache=True)
def _add_boards(boards: MassTable, filled: int, rows: Rows, count: int) -> int:
    for index in range(count):
        place = find_row(boards, rows.rows[index] >> HALF)
        # Written always, kept by the count, as in `push`.
        boards.used[filled] = place
        filled += np.int64(boards.rows[place] == 0)
        boards.rows[place] = rows.rows[index]
        boards.mass[place] += rows.mass[index]
    return filled


@njit(nogil=True, cache=True)
def later_traversals(
    graph: Graph, workspace: Workspace, plan: Plan, found: int, state: np.uint64
) -> tuple[int, np.uint64]:
    """Leave in `boards` how often walks pass each board from the second traversal on; returns how many, the state."""
    rows, passing, boards = workspace.rows, workspace.passing, 0
    copy(workspace.pins, found, rows)
    for hop in range(1, plan.max_traversals):
        for index in range(found):
            # Walks that have ended pass on nothing; what they visited was counted before.
            rows.mass[index] *= plan.go_on
        left, state = plan_rows(rows, found, plan.later_budget, graph.to_boards, state)
        reached = push(rows, left, graph.to_boards, passing, workspace.num_read)
        copy(passing, reached, rows)
        clear(passing, reached)
        # The last step, from boards to pins, is left to `refine_candidates`, which adds up instead of sampling.
        boards = _add_boards(workspace.boards, boards, rows, reached)
        if hop + 1 < plan.max_traversals:
            left, state = plan_rows(rows, reached, plan.later_budget, graph.to_pins, state)
            found = push(rows, left, graph.to_pins, passing, workspace.num_read)
            copy(passing, found, rows)
            clear(passing, found)
    return boards, state
