"""The pins that random walks from a pin visit most, and how often.

Letters: Q query pins, T neighbors.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pinsage.errors import SettingsError
from pinsage.graph.csr import BipartiteGraph
from pinsage.walks import kernels

Number = TypeVar("Number", np.int32, np.int64)


@dataclass(frozen=True)
class WalkPlan:
    """Walks from one pin: how many, of how many pin-board-pin traversals at most, and the chance to end after each."""

    num_walks: int
    max_hops: int
    restart: float
    seed: int


def top_visited(
    graph: BipartiteGraph, pins: NDArray[np.int32], plan: WalkPlan, *, top: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The pins visited most from each query pin, with their share of the visits to those kept.

    Each walk goes to a uniformly random board of the pin it is at, then to a uniformly random pin of that board, counts
    it unless it is the query pin, and ends there with probability `restart`. A query's walks depend on the seed and the
    query alone, so any split of `pins` gives the same rows.

    Args:
        graph: where to walk.
        pins: int32 [Q], the query pins.
        plan: how to walk.
        top: T, pins kept per query.

    Returns:
        int32 [Q, T] pins, heaviest first (of equals the smaller pin), padded with -1; float32 [Q, T] weights, each row
        summing to 1, or to 0 where nothing else can be reached, padded with 0.

    Raises:
        SettingsError: a query is no pin of the graph, or the plan is out of bounds.

    Source: PinSage §3.2 (visit counts, L1-normalized), after Pixie (Eksombatchai et al., 2018).
    """
    visited, weights, _ = counted_top_visited(graph, pins, plan, top=top)
    return visited, weights


def counted_top_visited(
    graph: BipartiteGraph, pins: NDArray[np.int32], plan: WalkPlan, *, top: int
) -> tuple[NDArray[np.int32], NDArray[np.float32], int]:
    """What `top_visited` gives, and the number of traversals made (each follows two edges)."""
    pins = checked_queries(graph, pins)
    visited = np.full((len(pins), top), -1, np.int32)
    weights = np.zeros((len(pins), top), np.float32)
    walks, pool, counter = walking_gear(graph, plan)
    traversals = kernels.fill_top(pool, counter, saves_of(graph), walks, pins, visited, weights)
    return visited, weights, int(traversals)


def checked_queries(graph: BipartiteGraph, pins: NDArray[np.int32]) -> NDArray[np.int32]:
    """The query pins, contiguous; compiled code does not check bounds.

    Raises:
        SettingsError: a query is no pin of the graph.
    """
    if len(pins) and (pins.min() < 0 or pins.max() >= graph.num_pins):
        raise SettingsError(
            f"A walk was asked to start at pin {pins.min() if pins.min() < 0 else pins.max()}, "
            f"but pins run from 0 to {graph.num_pins - 1}. Take pins of this graph's catalog."
        )
    return np.ascontiguousarray(pins, dtype=np.int32)


def saves_of(graph: BipartiteGraph) -> kernels.Saves:
    """The graph's arrays as the kernels take them: read-only, so that maps and arrays share one compiled kernel."""
    return kernels.Saves(
        _read_only(graph.pin_offsets),
        _read_only(graph.pin_boards),
        _read_only(graph.board_offsets),
        _read_only(graph.board_pins),
    )


def walking_gear(graph: BipartiteGraph, plan: WalkPlan) -> tuple[kernels.Walks, kernels.Pool, kernels.Counter]:
    """The plan as the kernels take it, with empty lanes and visit counters big enough for it.

    Raises:
        SettingsError: the plan is out of bounds.
    """
    if not (plan.num_walks >= 1 and 1 <= plan.max_hops <= kernels.MAX_HOPS and 0.0 <= plan.restart < 1.0):
        raise SettingsError(
            f"{plan} cannot be walked. Take at least 1 walk, 1 to {kernels.MAX_HOPS} hops and a restart in [0, 1)."
        )
    walks = kernels.Walks(plan.num_walks, plan.max_hops, np.uint64(round(plan.restart * 2**32)), np.uint64(plan.seed))
    most = min(plan.num_walks * plan.max_hops, graph.num_pins)
    group = max(1, kernels.LANES // plan.num_walks)
    return walks, _pool(), _counter(group, most)


def _read_only(array: NDArray[Number]) -> NDArray[Number]:
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view


def _pool() -> kernels.Pool:
    lanes = kernels.LANES
    return kernels.Pool(
        np.empty(lanes, np.uint64), np.empty(lanes, np.int32), np.empty(lanes, np.int32),
        np.empty(lanes, np.int64), np.empty(lanes, np.uint64),
    )  # fmt: skip


def _counter(group: int, most: int) -> kernels.Counter:
    bits = max(3, (2 * most - 1).bit_length())  # at most half full
    entries = np.full(group << bits, -1, np.int64)
    return kernels.Counter(entries, np.empty(group * most, np.int32), np.zeros(group, np.int64), bits, most)
