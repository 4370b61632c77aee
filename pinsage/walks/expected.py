"""The pins that walks from a pin visit most on average, without walking.

Letters: Q query pins, T neighbors, C places of a hash table.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pinsage.errors import SettingsError
from pinsage.walks import push_kernel
from pinsage.walks.expected_kernel import fill_expected
from pinsage.walks.hops import HopTables
from pinsage.walks.random_walk import check_queries
from pinsage.walks.visit_kernel import LONGEST_WALK

_NONE = np.empty(0, np.float32)
_FILTER_WORDS = 1 << 10
_ROUNDING = 64  # saves by which float32 sums may be off, generously


@dataclass(frozen=True)
class PushPlan:
    """Walks to average over, and how many saves may be read to do so.

    `max_traversals` and `restart` mean what they mean for walks. `budget` is the one dial between accuracy and time:
    about so many saves are read in the first traversal, half of it in each later one, and eight times as many at most
    to refine the best candidates. As the budget grows, the averages become exact.
    """

    max_traversals: int
    restart: float
    budget: int
    seed: int


def top_expected(
    hops: HopTables, pins: NDArray[np.int32], plan: PushPlan, *, top: int
) -> tuple[NDArray[np.int32], NDArray[np.float32], int]:
    """The pins that endlessly many walks from each query pin would visit most, with their share of those visits.

    What `random_walk.top_visited` converges to as its walks become more. A query's row depends on the plan and the
    query alone, so any split of `pins` gives the same rows.

    Args:
        hops: the graph.
        pins: int32 [Q], the query pins.
        plan: what to average over, and how finely.
        top: T, pins kept per query.

    Returns:
        int32 [Q, T] pins, heaviest first (equals in an order drawn per query), padded with -1; float32 [Q, T] weights,
        each row summing to 1, or to 0 where nothing else can be reached, padded with 0; and the number of saves read.

    Raises:
        UnknownPinError: a query is no pin of the graph.
        SettingsError: the plan is out of bounds.

    Source: PinSage §3.2 (importance-based neighborhoods); the estimate after forward push with a random residual
    (FORA, Wang et al., KDD 2017).
    """
    pins = check_queries(hops, pins)
    found, weights = np.full((len(pins), top), -1, np.int32), np.zeros((len(pins), top), np.float32)  # [Q, T] each
    compiled_plan = _kernel_plan(plan, top)
    workspace = _workspace(compiled_plan)
    num_read = fill_expected(_graph(hops), workspace, compiled_plan, pins, found, weights)
    return found, weights, int(num_read)


def _kernel_plan(plan: PushPlan, top: int) -> push_kernel.Plan:
    if not (1 <= plan.max_traversals <= LONGEST_WALK and 0.0 <= plan.restart < 1.0 and plan.budget >= 64):
        raise SettingsError(
            f"{plan} cannot be computed. Take 1 to {LONGEST_WALK} traversals, a restart in "
            "[0, 1) and a budget of at least 64."
        )
    # Candidates, and the saves read of each, grow with the root of the budget: looking closely grows with the budget.
    candidates = top + math.isqrt(plan.budget)
    return push_kernel.Plan(
        plan.max_traversals, np.float32(1 - plan.restart), plan.budget, plan.budget // 2, plan.budget // 64, candidates,
        8 * plan.budget // candidates, np.uint64(plan.seed),
    )  # fmt: skip


def _graph(hops: HopTables) -> push_kernel.Graph:
    shares = hops.shares
    by_pin, by_board, back = (
        (_NONE, _NONE, _NONE) if shares is None else (shares.pin_shares, shares.board_shares, shares.back_shares)
    )
    return push_kernel.Graph(
        hops.pin_rows, push_kernel.Side(hops.pin_hops, by_pin), push_kernel.Side(hops.board_hops, by_board), back,
        hops.board_pins,
    )  # fmt: skip


def _workspace(plan: push_kernel.Plan) -> push_kernel.Workspace:
    """The workspace for all rows that a plan can reach: a push reads at most its budget of saves, but for rounding."""
    first, later = plan.budget + _ROUNDING, plan.later_budget + _ROUNDING
    pins, boards, passing = (
        _mass_table(first + later),
        _mass_table((plan.max_traversals - 1) * later),
        _mass_table(first),
    )
    # One set of rows serves pushes from either side, one after the other.
    count = max(len(pins.rows), len(boards.rows))
    rows = push_kernel.Rows(
        np.empty(count, np.uint64), np.empty(count, np.float32), np.empty(count, np.int64),
        np.empty(count, np.int64), np.empty(count, np.float32),
    )  # fmt: skip
    return push_kernel.Workspace(
        pins,
        boards,
        passing,
        rows,
        np.empty(count, np.uint64),
        np.zeros(_FILTER_WORDS, np.uint64),
        np.zeros(1, np.int64),
    )


def _mass_table(most: int) -> push_kernel.MassTable:
    bits = max(3, (most + most // 2).bit_length())  # at most two thirds full
    count = 1 << bits
    return push_kernel.MassTable(
        np.zeros(count, np.uint64), np.zeros(count, np.float32), np.zeros(count, np.uint32), np.empty(count, np.int32),
        bits,
    )  # fmt: skip
