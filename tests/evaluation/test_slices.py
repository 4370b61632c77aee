"""Which pairs are in which part."""

import numpy as np

from pinsage.evaluation.pin_lists import PinLists
from pinsage.evaluation.ranking import Targets
from pinsage.evaluation.slices import pair_slices
from pinsage.evaluation.views import PairView
from pinsage.graph.build import build_graph

# Board b holds the pins 0 to b, so pin p is on 20 - p boards; pin 20 and later are cold.
PINS, BOARDS = (
    np.array(side, np.int32) for side in zip(*[(p, b) for b in range(20) for p in range(b + 1)], strict=True)
)
GRAPH = build_graph(PINS, BOARDS, num_pins=22, num_boards=20)
QUERIES = np.array([0, 21], np.int32)


def slices_of(positives, boards):
    """Parts by slice, each as the places of its pairs; the last pair is of the cold query 21."""
    lists = PinLists(np.array([0, len(positives) - 1, len(positives)]), np.array(positives, np.int32))
    view = PairView("all", Targets(lists), np.array(boards, np.int32))
    return {
        cut.name: {part: np.flatnonzero(chosen).tolist() for part, chosen in cut.parts.items()}
        for cut in pair_slices(view, QUERIES, GRAPH)
    }


def test_pairs_are_cold_by_their_query_their_positive_or_either():
    """Pair 1 has a cold positive, pair 2 a cold query."""
    found = slices_of([3, 20, 5], [0, 0, 0])
    assert found["query"] == {"cold": [2], "warm": [0, 1]}
    assert found["positive"] == {"cold": [1], "warm": [0, 2]}
    assert found["cold"] == {"cold": [1, 2], "warm": [0]}


def test_deciles_of_the_degree_hold_as_many_pairs_each():
    """Twenty pairs of twenty degrees."""
    found = slices_of(list(range(20)), [0] * 20)["positive_degree"]
    assert list(found) == [f"{low}-{low + 1}" for low in range(1, 20, 2)]
    assert [len(places) for places in found.values()] == [2] * 10


def test_equal_values_fall_together():
    """All positives are on as many boards."""
    assert slices_of([4] * 12, [0] * 12)["positive_degree"] == {"16-16": list(range(12))}


def test_board_sizes_are_of_the_pairs_that_have_a_board():
    """Boards of 1 to 4 pins, and an engagement."""
    assert slices_of([1, 2, 3, 4, 5], [0, 1, 2, 3, -1])["board_size"] == {
        "1-1": [0],
        "2-2": [1],
        "3-3": [2],
        "4-4": [3],
    }
    assert slices_of([1, 2], [-1, -1])["board_size"] == {}
