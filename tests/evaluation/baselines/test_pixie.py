"""Visits of random walks, on worlds where they are known."""

import numpy as np
import pytest
from saves_world import graph_of

from pinsage.evaluation.baselines.pixie import Visits
from pinsage.evaluation.pin_lists import PinLists
from pinsage.evaluation.ranking import UNRANKED, top
from pinsage.walks.random_walk import WalkPlan

GRAPH = graph_of([0, 1, 2], [0, 1], [3, 4], num_pins=6)


def test_visits_rank_the_board_mates_first_and_leave_out_what_no_walk_reaches():
    """Pin 1 shares two boards with 0, pin 2 one, pin 3 none."""
    pins, shares = top(Visits(GRAPH, WalkPlan(2000, 1, 0.5, 0)), np.array([0, 5], np.int32), 5)
    assert pins.tolist() == [[1, 2, -1, -1, -1], [-1] * 5]
    # First step: one of two boards; then a uniform pin of it, the query itself not counted.
    assert shares[0, 0] == pytest.approx((1 / 6 + 1 / 4) / (1 / 6 + 1 / 6 + 1 / 4), abs=0.05)


def test_the_pins_of_a_board_share_its_walks():
    """From 0 and 3 together: half of the shares lie on the board mates of each."""
    boards = PinLists(np.array([0, 2]), np.array([0, 3], np.int32))
    scores = Visits(GRAPH, WalkPlan(4000, 1, 0.5, 0)).board_scores(boards)[0]
    assert scores[4] == pytest.approx(0.5)
    assert scores[1] + scores[2] == pytest.approx(0.5)
    assert scores[5] == UNRANKED
