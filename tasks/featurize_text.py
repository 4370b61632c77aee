"""Train word2vec on the pins' words and average it per pin."""

from pinsage.catalog.catalog import Catalog
from pinsage.features.corpus import read_corpus
from pinsage.features.text import train_word_vectors, write_text_features
from pinsage.features.words import COLUMNS, words_of_pins
from pinsage.store.manifest import Facts
from tasks.running.work import StageWork


def featurize_text(work: StageWork) -> Facts:
    """Write the text features of every pin; return how many pins and words they cover."""
    settings = work.settings.text
    pins = Catalog.open(work.inputs["ingest"]).pins(COLUMNS)
    corpus = read_corpus(words_of_pins(pins, max_words=settings.max_words), min_count=settings.min_count)
    return write_text_features(corpus, train_word_vectors(corpus, settings), work.out)
