"""item2vec: word2vec in which pins are the words and the training pairs, put end to end, are the sentences.

N pairs.
"""

import numpy as np
from numpy.typing import NDArray

from pinsage.evaluation.baselines.similarity import Similarity
from pinsage.evaluation.inputs import MethodInputs, MethodSettings
from pinsage.pairs.pairs import Pairs

DIM, EPOCHS = 64, 20
# Not gensim's defaults, which are meant for prose: on ml-latest-small (window 30, validation hit@10 of all and of new
# pairs) they give about 0.031 and 0.011, these 0.034 and 0.016.
SAMPLE, NEGATIVE_EXPONENT = 1e-4, -0.5
MAX_PAIRS = 20_000_000


def item2vec(inputs: MethodInputs, settings: MethodSettings, window: float) -> Similarity:
    """Cosine of skip-gram vectors of the pins, of which `window` on either side are context.

    Source: Barkan and Koenigstein, MLSP 2016; its settings after Caselles-Dupré et al., RecSys 2018.
    """
    from gensim.models import Word2Vec

    sample = max(SAMPLE, 1 / inputs.graph.num_pins)  # which never thins a pin of average frequency
    model = Word2Vec(
        sentences(inputs.train), vector_size=DIM, window=int(window), sg=1, min_count=1, epochs=EPOCHS, sample=sample,
        ns_exponent=NEGATIVE_EXPONENT, seed=settings.evaluate.seed, workers=1, hashfxn=int,
    )  # fmt: skip
    vectors = np.zeros((inputs.graph.num_pins, DIM), np.float32)  # [P, DIM]
    # gensim orders its words by frequency: each vector goes back to its pin, and pins without one keep zeros.
    vectors[np.array([int(pin) for pin in model.wv.index_to_key], np.int64)] = model.wv.vectors
    return Similarity(vectors)


def sentences(pairs: Pairs) -> list[list[str]]:
    """The pins of pairs that follow each other, as text: (1, 2), (2, 5), (7, 8) are the sentences 1 2 5 and 7 8."""
    if len(pairs) == 0:
        return []
    begins: NDArray[np.int64] = np.flatnonzero(np.append(True, pairs.query[1:] != pairs.positive[:-1]))
    ends = np.append(begins[1:], len(pairs))  # [sentences]
    queries, positives = pairs.query.tolist(), pairs.positive.tolist()
    runs = zip(begins.tolist(), ends.tolist(), strict=True)
    return [[str(pin) for pin in (*queries[begin:end], positives[end - 1])] for begin, end in runs]
