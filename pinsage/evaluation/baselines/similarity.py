"""Cosine similarity of vectors, with or without a term for popularity.

Letters: P pins, D width of a vector, n rows of scores.
"""

import numpy as np
from numpy.typing import NDArray

from pinsage.errors import InputError
from pinsage.evaluation.pin_lists import PinLists
from pinsage.evaluation.ranking import UNRANKED

# A board's pins count by their degree to this power, as in GF-CF: a pin that is on many boards says little about one of
# them. Recall@20 on validation boards, against a plain mean: .452 for .396 on the decks, .178 for .170 on Gowalla, .139
# for .143 on MovieLens; at -1/4 the gain is half of that.
_RARITY = -0.5


class Similarity:
    """score(q, j) = cosine of q and j + popularity of j. A pin whose vector is zero ranks last, and ranks nothing."""

    def __init__(
        self,
        vectors: NDArray[np.float32],
        popularity: NDArray[np.float32] | None = None,
        *,
        pin_degrees: NDArray[np.int64] | None = None,
    ) -> None:
        """Take float32 [P, D], which is not copied, float32 [P] and int64 [P]; without degrees pins count alike.

        Raises:
            InputError: a vector holds NaN or an infinite number, which would rank first everywhere.
        """
        self._vectors, self._popularity, self.num_pins = vectors, popularity, len(vectors)
        degrees = np.ones(len(vectors)) if pin_degrees is None else pin_degrees
        self._says = (np.maximum(degrees, 1) ** _RARITY).astype(np.float32)  # of a board that it is on
        lengths = np.sqrt(np.einsum("pd,pd->p", vectors, vectors))  # [P]
        if not np.isfinite(lengths).all():
            bad = int(np.flatnonzero(~np.isfinite(lengths))[0])
            raise InputError(f"The vector of pin {bad} is not finite. Make the features or the embeddings again.")
        self._is_empty = lengths == 0
        self._scale = (1 / np.where(self._is_empty, 1, lengths)).astype(np.float32)

    def scores(self, queries: NDArray[np.int32]) -> NDArray[np.float32]:
        """Cosines and popularity, float32 [n, P]."""
        return self._scores(self._unit(queries), self._is_empty[queries], np.float32(1))

    def board_scores(self, boards: PinLists) -> NDArray[np.float32]:
        """The product with the weighted mean of the unit vectors of each board's pins, and popularity: float32 [n, P].

        Pins without a vector are left out of the mean. Where a cosine stands for log P(j | i) / P(j) of a pin, its sum
        over k independent pins and one log P(j) are what they say together (naive Bayes): in the mean, popularity has
        the weight 1/k. For pins that all say the same it has the weight 1. It gets 1/√k, which is between the two.
        """
        means = np.zeros((len(boards), self._vectors.shape[1]), np.float32)  # [n, D]
        shares = np.ones((len(boards), 1), np.float32)  # [n, 1]
        for board in range(len(boards)):
            pins = boards.part(board, board + 1).pins
            pins = pins[~self._is_empty[pins]]
            if len(pins):
                weights = self._says[pins]
                means[board] = weights @ self._unit(pins) / weights.sum()
                shares[board] = len(pins) ** -0.5
        return self._scores(means, np.asarray(~means.any(axis=1)), shares)

    def _unit(self, pins: NDArray[np.int32]) -> NDArray[np.float32]:
        unit: NDArray[np.float32] = self._vectors[pins] * self._scale[pins, None]
        return unit

    def _scores(
        self, rows: NDArray[np.float32], is_nothing: NDArray[np.bool_], weight: NDArray[np.float32] | np.float32
    ) -> NDArray[np.float32]:
        scores: NDArray[np.float32] = np.dot(rows, self._vectors.T)  # [n, P]
        scores *= self._scale
        if self._popularity is not None:
            scores += self._popularity * weight
        scores[:, self._is_empty] = UNRANKED
        scores[is_nothing] = UNRANKED
        return scores
