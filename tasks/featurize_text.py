"""Train word2vec on the pins' words and average it per pin."""

from collections.abc import Iterator

from pinsage.catalog.catalog import Catalog
from pinsage.features.corpus import corpus_with, read_corpus
from pinsage.features.text import WordVectors, train_word_vectors, write_text_features
from pinsage.features.words import COLUMNS, words_of_pins
from pinsage.store.manifest import Facts
from tasks.running.work import StageWork


def featurize_text(work: StageWork) -> Facts:
    """Write the text features of every pin; return how many pins and words they cover.

    In a refresh the word vectors are those that the model was trained with.
    """
    if work.fitted:
        known = WordVectors.open(work.fitted["featurize_text"])
        return write_text_features(corpus_with(known.vocabulary, _words(work)), known, work.out)
    corpus = read_corpus(_words(work), min_count=work.settings.text.min_count)
    return write_text_features(corpus, train_word_vectors(corpus, work.settings.text), work.out)


def _words(work: StageWork) -> Iterator[list[str]]:
    pins = Catalog.open(work.inputs["ingest"]).pins(COLUMNS)
    return words_of_pins(pins, max_words=work.settings.text.max_words)
