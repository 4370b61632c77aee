"""The words of all pins as numbers: what word2vec reads in every pass, at four bytes a word.

Letters: P pins, N words of all pins together, V words in the vocabulary.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Corpus:
    """The known words of each pin.

    The words of pin p are `words[offsets[p]:offsets[p + 1]]`, int32 rows of the `vocabulary` of V words; `offsets` is
    int64 [P + 1]; `counts` int64 [V] says how often each word occurs. `num_tokens` is N, unknown words included.
    """

    vocabulary: list[str]
    counts: NDArray[np.int64]
    offsets: NDArray[np.int64]
    words: NDArray[np.int32]
    num_tokens: int

    @property
    def num_pins(self) -> int:
        """P."""
        return len(self.offsets) - 1

    @property
    def num_sentences(self) -> int:
        """The number of lists that `sentences` yields."""
        return int(np.count_nonzero(np.diff(self.offsets) >= 2))

    def sentences(self) -> Iterator[list[str]]:
        """The known words of each pin that has at least two: a word alone has no context to learn from."""
        spelled = np.array(self.vocabulary, dtype=object)
        for pin in np.flatnonzero(np.diff(self.offsets) >= 2):
            yield spelled[self.words[self.offsets[pin] : self.offsets[pin + 1]]].tolist()


def read_corpus(words_of_pins: Iterable[list[str]], *, min_count: int) -> Corpus:
    """The corpus whose vocabulary is every word that occurs at least `min_count` times.

    The vocabulary is ordered by count, the most frequent first, ties by spelling.
    """
    numbers: dict[str, int] = {}
    offsets, seen = _number_words(words_of_pins, numbers, may_grow=True)
    counts, spelled = np.bincount(seen, minlength=len(numbers)), list(numbers)  # of every word seen, rare ones included
    kept = [number for number in range(len(spelled)) if counts[number] >= min_count]
    kept.sort(key=lambda number: (-counts[number], spelled[number]))
    rows = np.full(len(spelled), -1, dtype=np.int32)  # -1: too rare
    rows[kept] = np.arange(len(kept), dtype=np.int32)
    return _drop_unknown([spelled[number] for number in kept], offsets, rows[seen])


def corpus_with(vocabulary: Sequence[str], words_of_pins: Iterable[list[str]]) -> Corpus:
    """The corpus of other pins under a vocabulary that is already there; other words are unknown."""
    numbers = {word: row for row, word in enumerate(vocabulary)}
    return _drop_unknown(list(vocabulary), *_number_words(words_of_pins, numbers, may_grow=False))


def _number_words(
    words_of_pins: Iterable[list[str]], numbers: dict[str, int], *, may_grow: bool
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Number the words in order of appearance, -1 for other ones, and return where each pin's words begin."""
    # Arrays of numbers: a list would hold a Python object of 28 bytes and a pointer for every word.
    found, ends = array("i"), array("q", [0])
    for words in words_of_pins:
        if may_grow:
            found.extend([numbers.setdefault(word, len(numbers)) for word in words])
        else:
            found.extend([numbers.get(word, -1) for word in words])
        ends.append(len(found))
    seen = np.frombuffer(found, dtype=np.int32) if found else np.zeros(0, dtype=np.int32)
    return np.frombuffer(ends, dtype=np.int64), seen


def _drop_unknown(vocabulary: list[str], offsets: NDArray[np.int64], rows: NDArray[np.int32]) -> Corpus:
    """The corpus without its unknown words, which are -1 in `rows`."""
    is_known = rows >= 0
    known = rows[is_known]
    kept_before = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(is_known, dtype=np.int64)])
    counts = np.bincount(known, minlength=len(vocabulary)).astype(np.int64)  # [V]
    return Corpus(vocabulary, counts, kept_before[offsets], known, len(rows))
