"""Methods that only count: saves of a pin, and how often a pin came after another.

Letters: P pins, n rows of scores.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pinsage.evaluation.inputs import MethodInputs, MethodSettings
from pinsage.evaluation.pin_lists import PinLists
from pinsage.pairs.pairs import Pairs

TIE_BREAK = np.float32(0.01)  # less than one pair of a board of a hundred pins


class Popularity:
    """The number of boards a pin was saved to, the same for every query."""

    def __init__(self, pin_degrees: NDArray[np.int64]) -> None:
        self._degrees, self.num_pins = pin_degrees.astype(np.float32), len(pin_degrees)

    def scores(self, queries: NDArray[np.int32]) -> NDArray[np.float32]:
        """Numbers of boards, float32 [n, P]."""
        return np.tile(self._degrees, (len(queries), 1))

    def board_scores(self, boards: PinLists) -> NDArray[np.float32]:
        """Numbers of boards, float32 [n, P]."""
        return np.tile(self._degrees, (len(boards), 1))


def popular_shares(pin_degrees: NDArray[np.int64]) -> NDArray[np.float32]:
    """The popularity of each pin from 0 to 1, float32 [P], where other evidence is missing or equal.

    On a scale of logarithms, which keeps small numbers of boards apart in float32 where some pin has millions.
    """
    logs = np.log1p(pin_degrees)  # [P]
    return (logs / max(1.0, float(logs.max(initial=0)))).astype(np.float32)


class Transitions:
    """The counts of (query, positive) among the training pairs; of equals the popular one is first.

    Most counts are 0 or 1: without the second rule a query with two known partners would have but two answers.
    """

    def __init__(self, pairs: Pairs, pin_degrees: NDArray[np.int64]) -> None:
        """Count the pairs; `pin_degrees` int64 [P] decide between equal counts."""
        num_pins = len(pin_degrees)
        keys, counts = np.unique((pairs.query.astype(np.int64) << 32) | pairs.positive, return_counts=True)
        self._next = PinLists.of(keys >> 32, (keys & 0xFFFFFFFF).astype(np.int32), num_pins)
        self._counts, self.num_pins = counts.astype(np.float32), num_pins
        self._tie_break = TIE_BREAK * popular_shares(pin_degrees)

    def scores(self, queries: NDArray[np.int32]) -> NDArray[np.float32]:
        """Numbers of pairs and the tie-break, float32 [n, P]."""
        return self.board_scores(PinLists(np.arange(len(queries) + 1), queries))

    def board_scores(self, boards: PinLists) -> NDArray[np.float32]:
        """Mean numbers of pairs over the pins of each board, float32 [n, P]."""
        scores = np.tile(self._tie_break, (len(boards), 1))  # [n, P]
        _add_counts(boards.offsets, boards.pins, self._next.offsets, self._next.pins, self._counts, scores)
        return scores


def popularity(inputs: MethodInputs, settings: MethodSettings) -> Popularity:
    """The pins on the most boards. Not in the paper: the floor that every method should be above."""
    return Popularity(inputs.graph.pin_degrees)


def transitions(inputs: MethodInputs, settings: MethodSettings) -> Transitions:
    """The pins that most often came after the query: a Markov chain of the first order."""
    return Transitions(inputs.train, inputs.graph.pin_degrees)


@njit(nogil=True, cache=True)
def _add_counts(
    offsets: NDArray[np.int64],
    pins: NDArray[np.int32],
    next_offsets: NDArray[np.int64],
    next_pins: NDArray[np.int32],
    counts: NDArray[np.float32],
    scores: NDArray[np.float32],
) -> None:
    for row in range(len(scores)):
        share = np.float32(1 / max(1, offsets[row + 1] - offsets[row]))
        for place in range(offsets[row], offsets[row + 1]):
            for edge in range(next_offsets[pins[place]], next_offsets[pins[place] + 1]):
                scores[row, next_pins[edge]] += counts[edge] * share
