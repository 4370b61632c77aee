"""Compiled expected visits of a pin: push its mass, look closely at the candidates, keep the best.

Letters: Q query pins, T neighbors.
"""

# mypy: disable-error-code="assignment, arg-type, call-overload, no-any-return"
# (Inside compiled functions numbers are numba's, which mix where NumPy's scalar types do not.)

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pinsage.compiled.hash import LOW, stream, unscramble
from pinsage.compiled.selection import move_largest_first
from pinsage.walks.candidate_kernel import filter_place, list_pins, probe, refine_candidates, share_out
from pinsage.walks.push_kernel import Graph, Plan, Workspace, clear, find_row, first_traversal, later_traversals


@njit(nogil=True, cache=True)
def _keep_top(
    graph: Graph,
    workspace: Workspace,
    found: tuple[int, np.uint64],
    top: NDArray[np.int32],
    weights: NDArray[np.float32],
) -> None:
    """Fill the row of one query from the keys: heaviest first, weights summing to 1."""
    count, order = found
    keys, pins, total, kept = workspace.keys, workspace.pins, 0.0, 0
    move_largest_first(keys, 0, count, min(count, len(top)))
    # Only the T best are sorted, after a selection in linear time.
    keys[: min(count, len(top))].sort()
    # Sorted they ascend, so the heaviest is read from the end.
    for index in range(min(count, len(top)) - 1, -1, -1):
        place = find_row(pins, unscramble(keys[index] & LOW, order))
        # A candidate known from a sample alone may turn out to get nothing once its saves are read.
        if pins.mass[place] > 0:
            top[kept] = graph.board_pins[np.int64(pins.edges[place])]
            weights[kept] = pins.mass[place]
            total += pins.mass[place]
            kept += 1
    for index in range(kept):
        weights[index] = np.float32(weights[index] / total)


@njit(nogil=True, cache=True)
def _fill_row(
    graph: Graph, workspace: Workspace, plan: Plan, pin: np.int32, top: NDArray[np.int32], weights: NDArray[np.float32]
) -> None:
    origin, start = graph.pin_rows[pin], stream(plan.seed, pin)
    if origin & LOW == 0:
        return  # an isolated pin has nowhere to go
    order, has_shares = start & LOW, len(graph.back) > 0
    # The first traversal apart: it has the whole budget, for most of the visits are its own.
    found, state = first_traversal(graph, workspace, plan, origin, start)
    boards, state = later_traversals(graph, workspace, plan, found, state)
    later = np.float32(0)
    if boards:
        found, later = probe(graph, workspace, plan, (found, boards), state)
    count = list_pins(workspace, found, later, origin, order)
    if boards:
        share_out(workspace, boards, has_shares)
        count = refine_candidates(graph, workspace, plan, count, order)
    _keep_top(graph, workspace, (count, order), top, weights)
    # The tables serve the next query, so the places that were filled are emptied, and no others.
    clear(workspace.pins, found)
    for index in range(boards):
        workspace.filter[filter_place(workspace.boards.rows[workspace.boards.used[index]])[0]] = 0
    clear(workspace.boards, boards)


@njit(nogil=True, cache=True)
def fill_expected(
    graph: Graph,
    workspace: Workspace,
    plan: Plan,
    pins: NDArray[np.int32],
    top: NDArray[np.int32],
    weights: NDArray[np.float32],
) -> int:
    """Fill `top` and `weights` [Q, T] for every pin of `pins`; returns how many saves were read."""
    workspace.num_read[0] = 0
    for row in range(len(pins)):
        _fill_row(graph, workspace, plan, pins[row], top[row], weights[row])
    return workspace.num_read[0]
