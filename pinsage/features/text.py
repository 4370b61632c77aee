"""word2vec over the words of a pin, and the mean of its words' vectors as the pin's text feature.

Letters: P pins, V words in the vocabulary, D dimension.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pinsage.features.corpus import Corpus
from pinsage.settings.schema import TextSettings
from pinsage.store.arrays import create_array, open_array, save_array
from pinsage.store.manifest import Facts

log = logging.getLogger(__name__)
VECTORS, VOCABULARY = "words.npy", "vocabulary.parquet"
_CHUNK_PINS = 1024
# Words above this share of all words are thinned out in training. gensim's 1e-3 is meant for running prose: among
# annotations it throws away most of the broad ones, and with them what they know. On the tags of 1,171 movies, recall
# at 50 of the ten movies most liked together is 0.145 with 1e-3 and 0.165 with 1e-2 (CBOW: 0.166 and 0.152; on plots
# skip-gram has 0.108 and 0.114, CBOW 0.066). A window of 16 words instead of the whole pin: 0.099 instead of 0.114.
_THINNED_ABOVE = 1e-2


@dataclass(frozen=True)
class WordVectors:
    """The vectors of word2vec: `vectors` float32 [V, D] and `counts` int64 [V] of the words of `vocabulary`."""

    vocabulary: list[str]
    counts: NDArray[np.int64]
    vectors: NDArray[np.float32]

    @classmethod
    def open(cls, folder: Path) -> "WordVectors":
        """The word vectors that the stage featurize_text published, for pins that came later."""
        table = pq.read_table(folder / VOCABULARY, page_checksum_verification=True)
        vectors = open_array(folder / VECTORS, np.float32, (len(table), None))  # [V, D]
        return cls(table["word"].to_pylist(), table["count"].to_numpy(), vectors)

    def write(self, folder: Path) -> None:
        """Put `words.npy` and `vocabulary.parquet` into `folder`."""
        save_array(folder / VECTORS, self.vectors)
        table = pa.table({"word": pa.array(self.vocabulary, pa.string()), "count": pa.array(self.counts, pa.int64())})
        pq.write_table(table, folder / VOCABULARY, compression="zstd", write_page_checksum=True)

    def feature(self, words: Iterable[str]) -> tuple[NDArray[np.float32], bool]:
        """The text feature of one pin, a new one too, with the bytes that a catalog would give it.

        Returns:
            float32 [D], the mean of the known words' vectors, zero where there is none; and whether there is one.
        """
        known = [self._rows[word] for word in words if word in self._rows]
        offsets, rows = np.array([0, len(known)], np.int64), np.array(known, np.int32)
        [(_, mean)] = mean_vectors(Corpus(self.vocabulary, self.counts, offsets, rows, len(rows)), self.vectors)
        return mean[0], bool(known)

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {word: row for row, word in enumerate(self.vocabulary)}


def train_word_vectors(corpus: Corpus, settings: TextSettings) -> WordVectors:
    """Skip-gram vectors of the vocabulary, where the context of a word is every other word of the same pin.

    The same corpus and settings give the same bytes in any process: one worker, the vocabulary in our own order, and
    nothing that asks Python's `hash`.

    Source: PinSage §4.1.
    """
    if not corpus.vocabulary:
        return WordVectors([], corpus.counts, np.zeros((0, settings.dim), dtype=np.float32))
    from gensim.models import Word2Vec

    model = Word2Vec(
        vector_size=settings.dim, window=settings.max_words, shrink_windows=False, sg=1, sample=_THINNED_ABOVE,
        min_count=1, sorted_vocab=0, seed=settings.seed, workers=1,
    )  # fmt: skip
    model.build_vocab_from_freq(dict(zip(corpus.vocabulary, corpus.counts.tolist(), strict=True)))
    if corpus.num_sentences:
        model.train(_Sentences(corpus), total_examples=corpus.num_sentences, epochs=settings.epochs)
    return WordVectors(corpus.vocabulary, corpus.counts, np.asarray(model.wv.vectors, dtype=np.float32))


def mean_vectors(corpus: Corpus, vectors: NDArray[np.float32]) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """The mean of the word vectors of each pin, in chunks: (first pin, float32 [n, D]); zero for a pin without words.

    Weighting rare words up (Arora's a / (a + p)) brought nothing on movie tags and plots, so it is the plain mean.
    """
    for first in range(0, corpus.num_pins, _CHUNK_PINS):
        offsets = corpus.offsets[first : first + _CHUNK_PINS + 1]
        lengths, starts = np.diff(offsets), offsets[:-1] - offsets[0]
        means = np.zeros((len(lengths), vectors.shape[1]), dtype=np.float32)  # [n, D]
        some = lengths > 0
        if some.any():
            gathered = vectors[corpus.words[offsets[0] : offsets[-1]]]  # [words of the chunk, D]
            means[some] = np.add.reduceat(gathered, starts[some], axis=0) / lengths[some, None]
        yield first, means


def write_text_features(corpus: Corpus, words: WordVectors, folder: Path) -> Facts:
    """Put `text.npy`, `has_text.npy` and the word vectors into `folder`; return what is worth knowing of them."""
    shape = (corpus.num_pins, words.vectors.shape[1])
    text = create_array(folder / "text.npy", np.float32, shape)
    for first, chunk in mean_vectors(corpus, words.vectors):
        text[first : first + len(chunk)] = chunk
    has_text = np.diff(corpus.offsets) > 0  # [P]
    save_array(folder / "has_text.npy", has_text)
    words.write(folder)
    return _facts(corpus, has_text, dim=shape[1])


def _facts(corpus: Corpus, has_text: NDArray[np.bool_], *, dim: int) -> Facts:
    facts: Facts = {
        "pins_with_text": int(has_text.sum()),
        "pins_without_text": int((~has_text).sum()),
        "words_read": corpus.num_tokens,
        "words_too_rare": corpus.num_tokens - len(corpus.words),
        "vocabulary": len(corpus.vocabulary),
        "dim": dim,
    }
    log.info("text features: %s", ", ".join(f"{name} {value}" for name, value in facts.items()))
    if not has_text.any():
        log.warning("No pin has a word that occurs often enough: all text features are zero.")
    return facts


class _Sentences:
    """The corpus in the shape gensim wants: something it can walk through once per epoch."""

    def __init__(self, corpus: Corpus) -> None:
        # Not a generator: gensim walks through once to build its vocabulary and once per epoch.
        self.corpus = corpus

    def __iter__(self) -> Iterator[list[str]]:
        return self.corpus.sentences()
