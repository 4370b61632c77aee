"""Lists that do not repeat themselves: near-duplicates left out, and maximal marginal relevance.

Letters: C candidates, d embedding size, k pins asked for.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Diversity:
    """The wish for a varied list; as it is by default, the scores alone decide.

    Attributes:
        max_cosine: a pin is left out if its cosine with the query or with a pin above it is higher; 1 leaves out none.
        relevance: λ of maximal marginal relevance, 0 to 1: the share of the score against likeness to pins above; 1 is
            the order of the scores.
        pool: so many times k candidates are considered.
    """

    max_cosine: float = 1.0
    relevance: float = 1.0
    pool: int = 5

    @property
    def is_wanted(self) -> bool:
        """True if something else than the scores decides."""
        return self.max_cosine < 1 or self.relevance < 1


SCORES_ALONE = Diversity()


def diverse(
    scores: NDArray[np.float32],
    vectors: NDArray[np.float32],
    query: NDArray[np.float32],
    k: int,
    diversity: Diversity,
) -> NDArray[np.intp]:
    """The places of the candidates of a varied list, the first one first: [≤k].

    Args:
        scores: float32 [C], falling.
        vectors: float32 [C, d], unit length.
        query: float32 [d], unit length.
        k: how many.
        diversity: how varied.

    Source: Carbonell and Goldstein, "The use of MMR, diversity-based reranking for reordering documents and producing
        summaries", SIGIR 1998.
    """
    likeness = np.full(len(scores), -np.inf, np.float32)  # [C], the highest cosine with a pin that is on the list
    is_free = vectors @ query <= diversity.max_cosine
    chosen: list[int] = []
    while len(chosen) < k and is_free.any():
        gain = scores if not chosen else diversity.relevance * scores - (1 - diversity.relevance) * likeness
        best = int(np.argmax(np.where(is_free, gain, -np.inf)))  # the first of equals: that of the highest score
        chosen.append(best)
        is_free[best] = False
        likeness = np.maximum(likeness, vectors @ vectors[best])
        is_free &= likeness <= diversity.max_cosine
    return np.array(chosen, np.intp)
