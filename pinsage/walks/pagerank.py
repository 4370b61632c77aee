"""Hard-negative candidates: pins related to a query, but less than its neighbors are.

Letters: P pins, Q query pins, T neighbors, H candidates per pin.
"""

import numpy as np
from numpy.typing import NDArray

from pinsage.settings.schema import WalkSettings
from pinsage.walks.band_kernel import Ranks, fill_band
from pinsage.walks.hops import HopTables
from pinsage.walks.random_walk import WalkPlan, check_queries, kernel_hops, walk_workspace

RESTART = 0.15  # PageRank's usual damping, 0.85; the restart of the neighborhoods is too short-sighted for rank 5,000
MAX_TRAVERSALS = 10  # 80 % of such walks have ended by then, and the visit counter can be half the size
PAPER_PINS = 1_000_000  # at this many pins and above, ranks are the paper's own
_OWN_STREAM = 2**32  # settings' seeds are smaller, so no neighborhood is walked with these draws


def pagerank_plan(settings: WalkSettings) -> WalkPlan:
    """The walks whose visit counts estimate personalized PageRank."""
    return WalkPlan(settings.hard_negative_walks, MAX_TRAVERSALS, RESTART, settings.seed + _OWN_STREAM)


def rank_band(num_pins: int, settings: WalkSettings) -> Ranks:
    """The first and last rank of hard negatives in a catalog of this size.

    Differs from the paper: below a million pins, ranks shrink with the catalog (2,000-5,000 becomes 40-100 of 20,000),
    or the band would lie past the last pin of a small one.
    """
    share = min(1.0, num_pins / PAPER_PINS)
    first = max(1, round(settings.hard_negative_first_rank * share))
    return Ranks(first, max(first, round(settings.hard_negative_last_rank * share)))


def hard_negatives(
    hops: HopTables, pins: NDArray[np.int32], neighbors: NDArray[np.int32], settings: WalkSettings
) -> tuple[NDArray[np.int32], int]:
    """Hard-negative candidates of some pins: a random sample, in random order, of a band of PageRank ranks.

    A query's neighbors take the first ranks; after them come the other pins its walks visit, by visit count, equals in
    random order. The band is `rank_band`, widened to hold H pins. Where walks reach few pins, it begins at the latest
    in the middle of those that are not neighbors, so the last half always counts.

    Args:
        hops: where to walk.
        pins: int32 [Q].
        neighbors: int32 [Q, T], the neighbors of each of `pins`, padded with the pin itself or -1.
        settings: how to walk, the ranks and H.

    Returns:
        int32 [Q, H], padded with -1, all -1 for an isolated pin; and the number of hops made.

    Raises:
        UnknownPinError: a pin is not of the graph.

    Source: PinSage §3.3 (hard negatives by personalized PageRank rank).
    """
    pins = check_queries(hops, pins)
    found = np.full((len(pins), settings.num_hard_negatives), -1, np.int32)  # [Q, H]
    if settings.num_hard_negatives == 0:
        return found, 0
    walks, pool, counter = walk_workspace(hops, pagerank_plan(settings))
    ranks = rank_band(hops.num_pins, settings)
    neighbors = np.ascontiguousarray(neighbors, dtype=np.int32)
    # The neighbors go in, so that the band is counted from the first pin that is none.
    traversals = fill_band(pool, counter, kernel_hops(hops), walks, pins, neighbors, ranks, found)
    return found, 2 * int(traversals)
