"""Methods that only count: saves of a pin, and how often a pin came after another.

Letters: P pins, n rows of scores.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pinsage.evaluation.evidence import Evidence, Plan
from pinsage.evaluation.pin_lists import PinLists
from pinsage.pairs.pairs import Pairs


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


class Fallback:
    """The scores of pins that were never seen beside the query: below all others, the popular ones first.

    Without it a query with two known partners would have but two answers.
    """

    def __init__(self, pin_degrees: NDArray[np.int64]) -> None:
        # The logarithm keeps small numbers of boards apart in float32 where some pin has millions.
        logs = np.log1p(pin_degrees)
        self._scores = (logs / max(1.0, float(logs.max(initial=0))) - 1.001).astype(np.float32)

    def fill(self, scores: NDArray[np.float32]) -> None:
        """Replace the zeros of scores [n, P] by values below 0."""
        np.copyto(scores, self._scores, where=scores == 0)


class Transitions:
    """How often the pin is the positive of the query among the training pairs; the popular ones after those."""

    def __init__(self, pairs: Pairs, fallback: Fallback, num_pins: int) -> None:
        keys, counts = np.unique((pairs.query.astype(np.int64) << 32) | pairs.positive, return_counts=True)
        self._next = PinLists.of(keys >> 32, (keys & 0xFFFFFFFF).astype(np.int32), num_pins)
        self._counts, self._fallback, self.num_pins = counts.astype(np.float32), fallback, num_pins

    def scores(self, queries: NDArray[np.int32]) -> NDArray[np.float32]:
        """Numbers of pairs, float32 [n, P]."""
        return self.board_scores(PinLists(np.arange(len(queries) + 1), queries))

    def board_scores(self, boards: PinLists) -> NDArray[np.float32]:
        """Mean numbers of pairs over the pins of each board, float32 [n, P]."""
        scores = np.zeros((len(boards), self.num_pins), np.float32)
        _add_counts(boards.offsets, boards.pins, self._next.offsets, self._next.pins, self._counts, scores)
        self._fallback.fill(scores)
        return scores


def popularity(evidence: Evidence, plan: Plan) -> Popularity:
    """The pins on the most boards. Not in the paper: the floor that every method should be above."""
    return Popularity(evidence.graph.pin_degrees)


def transitions(evidence: Evidence, plan: Plan) -> Transitions:
    """The pins that most often came after the query: a Markov chain of the first order."""
    return Transitions(evidence.train, Fallback(evidence.graph.pin_degrees), evidence.graph.num_pins)


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
