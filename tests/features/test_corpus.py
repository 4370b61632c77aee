"""The words of all pins as numbers."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pinsage.features.corpus import corpus_with, read_corpus

PINS = [["pie", "lemon"], [], ["pie", "rare"], ["lemon", "pie", "pie"]]


def spelled(corpus):
    """The corpus as lists of words again."""
    ends = zip(corpus.offsets[:-1], corpus.offsets[1:], strict=True)
    return [[corpus.vocabulary[word] for word in corpus.words[first:last]] for first, last in ends]


def test_rare_words_are_dropped_and_the_rest_is_ordered_by_count():
    """The most frequent word is row 0; a word below the count is in no pin any more."""
    corpus = read_corpus(PINS, min_count=2)
    assert corpus.vocabulary == ["pie", "lemon"]
    assert corpus.counts.tolist() == [4, 2]
    assert spelled(corpus) == [["pie", "lemon"], [], ["pie"], ["lemon", "pie", "pie"]]
    assert (corpus.num_pins, corpus.num_tokens) == (4, 7)


def test_a_sentence_needs_two_words():
    """A pin with one known word teaches nothing and is not given to word2vec."""
    corpus = read_corpus(PINS, min_count=2)
    assert list(corpus.sentences()) == [["pie", "lemon"], ["lemon", "pie", "pie"]]
    assert corpus.num_sentences == 2


def test_no_pins_and_no_words_are_an_empty_corpus():
    """Nothing in, nothing out, with the right shapes."""
    assert read_corpus([], min_count=1).offsets.tolist() == [0]
    assert read_corpus([[], []], min_count=1).offsets.tolist() == [0, 0, 0]
    assert read_corpus([["once"]], min_count=2).vocabulary == []


def test_other_pins_are_read_under_a_given_vocabulary():
    """Rows stay those of the vocabulary; words outside it are unknown, not new."""
    corpus = corpus_with(["pie", "lemon"], [["lemon", "unheard"], ["unheard"]])
    assert corpus.words.tolist() == [1]
    assert corpus.offsets.tolist() == [0, 1, 1]
    assert corpus.counts.tolist() == [0, 1]


@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=5), max_size=12), st.integers(1, 4))
def test_the_corpus_is_what_a_counter_would_keep(pins, min_count):
    """Same words per pin and same counts as the slow way."""
    counter = Counter(word for words in pins for word in words)
    kept = {word: count for word, count in counter.items() if count >= min_count}
    corpus = read_corpus(pins, min_count=min_count)
    assert dict(zip(corpus.vocabulary, corpus.counts.tolist(), strict=True)) == kept
    assert corpus.vocabulary == sorted(kept, key=lambda word: (-kept[word], word))
    assert spelled(corpus) == [[word for word in words if word in kept] for words in pins]
    assert corpus.offsets.dtype == np.int64
    assert corpus.words.dtype == np.int32
