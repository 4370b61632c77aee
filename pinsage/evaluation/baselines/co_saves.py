"""Item-kNN and RP3beta: neighbors by the boards that two pins share, each row of scores made from the graph.

No table of P x P similarities exists: a query's row costs the saves of its boards. Letters: P pins, B boards, n rows of
scores.
"""

from functools import cached_property

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pinsage.evaluation.baselines.counts import popular_shares
from pinsage.evaluation.inputs import MethodInputs, MethodSettings
from pinsage.evaluation.pin_lists import PinLists
from pinsage.graph.csr import BipartiteGraph

CACHE_BYTES = 512_000_000
Array = NDArray[np.float64]
Cache = tuple[NDArray[np.int32], NDArray[np.float32]]  # the row of each pin or -1 [P], rows of scores [rows, P]


class CoSaves:
    """score(q, j) = Σ over the boards of both of the board's weight / (scale of q · damping of j + shrinkage).

    Pins that share no board with the query come after those, the popular ones first.
    """

    def __init__(self, graph: BipartiteGraph, board_weights: Array, scale: Array, damping: Array, shrinkage: float):
        """Take float64 [B] weights, float64 [P] scales and dampings above 0, and a shrinkage of at least 0."""
        self._graph, self._boards, self.num_pins = graph, board_weights, graph.num_pins
        self._scale, self._damping, self._shrinkage = scale, damping, shrinkage
        self._below = popular_shares(graph.pin_degrees) - np.float32(1.001)  # all of them less than 0

    def scores(self, queries: NDArray[np.int32]) -> NDArray[np.float32]:
        """float32 [n, P], below 0 where no board is shared."""
        scores = self._means(PinLists(np.arange(len(queries) + 1), queries), _no_cache(self.num_pins))
        np.copyto(scores, self._below, where=scores == 0)
        return scores

    def board_scores(self, boards: PinLists) -> NDArray[np.float32]:
        """The mean over the pins of each board, float32 [n, P], below 0 where none of them shares a board."""
        scores = self._means(boards, self._cache)
        np.copyto(scores, self._below, where=scores == 0)
        return scores

    @cached_property
    def _cache(self) -> Cache:
        """Rows of the pins on the most boards, which are on many of the boards asked about and cost the most."""
        num_rows = min(self.num_pins, CACHE_BYTES // (4 * max(1, self.num_pins)))
        pins = np.argsort(-self._graph.pin_degrees, kind="stable")[:num_rows].astype(np.int32)  # [rows]
        place = np.full(self.num_pins, -1, np.int32)  # [P]
        place[pins] = np.arange(num_rows)
        return place, self._means(PinLists(np.arange(num_rows + 1), pins), _no_cache(self.num_pins))

    def _means(self, boards: PinLists, cache: Cache) -> NDArray[np.float32]:
        scores, graph = np.zeros((len(boards), self.num_pins), np.float32), self._graph
        _add_co_saves(
            (graph.pin_offsets, graph.pin_boards, graph.board_offsets, graph.board_pins), boards.offsets, boards.pins,
            (self._boards, self._scale, self._damping), self._shrinkage, cache, scores,
        )  # fmt: skip
        return scores


def item_knn(inputs: MethodInputs, settings: MethodSettings, shrinkage: float) -> CoSaves:
    """The cosine of two pins' columns of saves, drawn towards 0 where few boards speak for it.

    Source: Sarwar et al., WWW 2001; shrinkage as in Ferrari Dacrema et al., RecSys 2019.
    """
    graph = inputs.graph
    lengths = np.sqrt(np.maximum(graph.pin_degrees, 1).astype(np.float64))  # [P]
    return CoSaves(graph, np.ones(graph.num_boards), lengths, lengths, shrinkage)


def rp3beta(inputs: MethodInputs, settings: MethodSettings, beta: float) -> CoSaves:
    """The chance to get from the query over a board to the pin, over the pin's number of boards to the power of beta.

    Source: Paudel et al., TiiS 2016.
    """
    graph = inputs.graph
    pins = np.maximum(graph.pin_degrees, 1).astype(np.float64)
    return CoSaves(graph, 1 / np.maximum(graph.board_degrees, 1), pins, pins**beta, 0.0)


def _no_cache(num_pins: int) -> Cache:
    return np.full(num_pins, -1, np.int32), np.zeros((0, num_pins), np.float32)


@njit(nogil=True, cache=True)
def _add_co_saves(
    graph: tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64], NDArray[np.int32]],
    offsets: NDArray[np.int64],
    pins: NDArray[np.int32],
    weights: tuple[Array, Array, Array],
    shrinkage: float,
    cache: Cache,
    scores: NDArray[np.float32],
) -> None:
    """Sum the common boards of one query at a time in `shared`, of which only the pins touched are read and cleared."""
    pin_offsets, pin_boards, board_offsets, board_pins = graph
    board_weights, scale, damping = weights
    cached_place, cached_rows = cache
    shared, touched = np.zeros(scores.shape[1]), np.empty(scores.shape[1], np.int32)  # [P] each
    for row in range(len(scores)):
        size = max(1, offsets[row + 1] - offsets[row])
        for place in range(offsets[row], offsets[row + 1]):
            query, num_touched = pins[place], 0
            if cached_place[query] >= 0:
                scores[row] += cached_rows[cached_place[query]] * np.float32(1 / size)
                continue
            for edge in range(pin_offsets[query], pin_offsets[query + 1]):
                board = pin_boards[edge]
                for pin in board_pins[board_offsets[board] : board_offsets[board + 1]]:
                    if shared[pin] == 0:
                        touched[num_touched] = pin
                        num_touched += 1
                    shared[pin] += board_weights[board]
            for pin in touched[:num_touched]:
                scores[row, pin] += shared[pin] / (scale[query] * damping[pin] + shrinkage) / size
                shared[pin] = 0
