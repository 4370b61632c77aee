"""item2vec: word2vec in which pins are the words and the training pairs, put end to end, are the sentences.

N pairs.
"""

import numpy as np
from numpy.typing import NDArray

from pinsage.evaluation.baselines.similarity import Similarity
from pinsage.evaluation.evidence import Evidence, Plan
from pinsage.pairs.pairs import Pairs

DIM, EPOCHS = 64, 20
MAX_PAIRS = 20_000_000


def item2vec(evidence: Evidence, plan: Plan, window: float) -> Similarity:
    """Cosine of skip-gram vectors of the pins, of which `window` on either side are context.

    Source: Barkan and Koenigstein, MLSP 2016.
    """
    from gensim.models import Word2Vec

    model = Word2Vec(
        sentences(evidence.train), vector_size=DIM, window=int(window), sg=1, min_count=1, epochs=EPOCHS,
        seed=plan.evaluate.seed, workers=1, hashfxn=int,
    )  # fmt: skip
    vectors = np.zeros((evidence.graph.num_pins, DIM), np.float32)
    vectors[np.array([int(pin) for pin in model.wv.index_to_key], np.int64)] = model.wv.vectors
    return Similarity(vectors)


def sentences(pairs: Pairs) -> list[list[str]]:
    """The pins of pairs that follow each other, as text: (1, 2), (2, 5), (7, 8) are the sentences 1 2 5 and 7 8."""
    if len(pairs) == 0:
        return []
    begins: NDArray[np.int64] = np.flatnonzero(np.append(True, pairs.query[1:] != pairs.positive[:-1]))
    ends = np.append(begins[1:], len(pairs))
    queries, positives = pairs.query.tolist(), pairs.positive.tolist()
    runs = zip(begins.tolist(), ends.tolist(), strict=True)
    return [[str(pin) for pin in (*queries[begin:end], positives[end - 1])] for begin, end in runs]
