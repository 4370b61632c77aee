"""The pins that random walks from a pin visit most, and how often.

Letters: Q query pins, T neighbors.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pinsage.errors import SettingsError
from pinsage.store.arrays import check_pins
from pinsage.walks.hops import HopTables
from pinsage.walks.top_kernel import fill_top
from pinsage.walks.visit_kernel import LANES, LONGEST_WALK, Counter, Hops, Pool, Walks

_NONE = np.empty(0, np.uint64)


@dataclass(frozen=True)
class WalkPlan:
    """The number of walks from a pin, of traversals in each at most, and the chance to end after each."""

    num_walks: int
    max_traversals: int
    restart: float
    seed: int


def top_visited(
    hops: HopTables, pins: NDArray[np.int32], plan: WalkPlan, *, top: int
) -> tuple[NDArray[np.int32], NDArray[np.float32], int]:
    """The pins visited most from each query pin, with their share of the visits to those kept.

    Each walk goes to a random board of the pin it is at, then to a random pin of that board, counts it unless it is the
    query pin, and ends there with probability `restart`. Saves are drawn with their weights where the graph has them,
    else each alike. A query's walks depend on the seed and the query alone, so any split of `pins` gives the same rows.

    Args:
        hops: where to walk.
        pins: int32 [Q], the query pins.
        plan: how to walk.
        top: T, pins kept per query.

    Returns:
        int32 [Q, T] pins, heaviest first (of equals the one visited first), padded with -1; float32 [Q, T] weights,
        each row summing to 1, or to 0 where nothing else can be reached, padded with 0; and the number of traversals
        made, each of which follows two edges.

    Raises:
        UnknownPinError: a query is no pin of the graph.
        SettingsError: the plan is out of bounds.

    Source: PinSage §3.2 (visit counts, L1-normalized), after Pixie (Eksombatchai et al., 2018).
    """
    # Compiled code below checks no bounds.
    pins = check_queries(hops, pins)
    visited = np.full((len(pins), top), -1, np.int32)  # [Q, T]
    weights = np.zeros((len(pins), top), np.float32)  # [Q, T]
    walks, pool, counter = walk_workspace(hops, plan)
    traversals = fill_top(pool, counter, kernel_hops(hops), walks, pins, visited, weights)
    return visited, weights, int(traversals)


def check_queries(hops: HopTables, pins: NDArray[np.int32]) -> NDArray[np.int32]:
    """The query pins, contiguous.

    Raises:
        UnknownPinError: a query is no pin of the graph.
    """
    check_pins(pins, hops.num_pins)
    return np.ascontiguousarray(pins, dtype=np.int32)


def kernel_hops(hops: HopTables) -> Hops:
    """The tables as the walk kernels take them."""
    aliases = (_NONE, _NONE) if hops.shares is None else (hops.shares.pin_aliases, hops.shares.board_aliases)
    return Hops(hops.pin_rows, hops.pin_hops, hops.board_hops, hops.board_pins, *aliases)


def walk_workspace(hops: HopTables, plan: WalkPlan) -> tuple[Walks, Pool, Counter]:
    """The plan as the kernels take it, with empty lanes and visit counters big enough for it.

    Raises:
        SettingsError: the plan is out of bounds.
    """
    if not (plan.num_walks >= 1 and 1 <= plan.max_traversals <= LONGEST_WALK and 0.0 <= plan.restart < 1.0):
        raise SettingsError(
            f"{plan} cannot be walked. Take at least 1 walk, 1 to {LONGEST_WALK} traversals and a restart in [0, 1)."
        )
    # The chance to stop as a number that a 32-bit draw is compared with: no division in the loop.
    walks = Walks(plan.num_walks, plan.max_traversals, np.uint64(round(plan.restart * 2**32)), np.uint64(plan.seed))
    visits = plan.num_walks * plan.max_traversals
    # Few walks per pin would leave lanes empty: then several pins walk together.
    group = max(1, LANES // plan.num_walks)
    return walks, _pool(), _counter(group, visits, min(visits, hops.num_pins))


def _pool() -> Pool:
    return Pool(
        np.empty(LANES, np.uint64), np.empty(LANES, np.int32), np.empty(LANES, np.uint64),
        np.empty(LANES, np.uint64), np.empty(LANES, np.uint64),
    )  # fmt: skip


def _counter(group: int, visits: int, most: int) -> Counter:
    bits = max(3, (2 * most).bit_length())  # less than half full
    return Counter(
        np.zeros(group << bits, np.uint64), np.zeros(group << bits, np.uint32), np.empty(group * (most + 1), np.int32),
        np.zeros(group, np.int64), np.zeros(group, np.uint64), np.zeros(visits + 1, np.int64), bits, most,
    )  # fmt: skip
