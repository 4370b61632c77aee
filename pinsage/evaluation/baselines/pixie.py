"""Pixie: visit counts of random walks on the training graph, without learning.

Source: PinSage §4.2; Eksombatchai et al., WWW 2018.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pinsage.evaluation.inputs import MethodInputs, MethodSettings
from pinsage.evaluation.pin_lists import PinLists
from pinsage.evaluation.ranking import UNRANKED
from pinsage.graph.csr import BipartiteGraph
from pinsage.walks.hops import HopTables
from pinsage.walks.random_walk import WalkPlan, top_visited

DEPTH = 1000  # pins kept per query; hit rates look no further than the first few hundred
MAX_TRAVERSALS = 4
RESTART = 0.5


class Visits:
    """Shares of the visits of random walks from the query; pins not visited tie at the end."""

    def __init__(self, graph: BipartiteGraph, plan: WalkPlan) -> None:
        self._hops, self._plan, self.num_pins = HopTables.of(graph), plan, graph.num_pins

    def scores(self, queries: NDArray[np.int32]) -> NDArray[np.float32]:
        """Shares of visits, float32 [n, P]."""
        scores = np.full((len(queries), self.num_pins), UNRANKED, np.float32)  # [n, P]
        rows, pins, shares = self._visits(queries, self._plan)
        scores[rows, pins] = shares
        return scores

    def board_scores(self, boards: PinLists) -> NDArray[np.float32]:
        """Mean shares of visits, float32 [n, P]; the pins of a board share the walks (Pixie §3.1)."""
        scores = np.full((len(boards), self.num_pins), UNRANKED, np.float32)  # [n, P]
        for board in range(len(boards)):
            pins = boards.part(board, board + 1).pins
            plan = replace(self._plan, num_walks=-(-self._plan.num_walks // len(pins)))
            _, visited, shares = self._visits(pins, plan)
            sums = np.bincount(visited, shares, self.num_pins)  # [P]
            found = np.flatnonzero(sums)
            scores[board, found] = sums[found] / len(pins)
        return scores

    def _visits(
        self, queries: NDArray[np.int32], plan: WalkPlan
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
        """The row, the pin and the share of each visit."""
        visited, shares, _ = top_visited(self._hops, queries, plan, top=min(DEPTH, self.num_pins))
        rows, places = np.nonzero(visited >= 0)  # [visits] each
        return rows, visited[rows, places], shares[rows, places]


def pixie(inputs: MethodInputs, plan: MethodSettings) -> Visits:
    """As many walks per query as `evaluate.pixie_walks`."""
    walks = WalkPlan(plan.evaluate.pixie_walks, MAX_TRAVERSALS, RESTART, plan.evaluate.seed)
    return Visits(inputs.graph, walks)
