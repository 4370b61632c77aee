"""word2vec and the mean of a pin's words."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from pinsage.features.corpus import Corpus, read_corpus
from pinsage.features.text import WordVectors, mean_vectors, train_word_vectors, write_text_features
from pinsage.settings.schema import TextSettings

SETTINGS = TextSettings(dim=16, epochs=20, min_count=1, seed=1)
KITCHEN, GARDEN = ["pie", "cake", "oven", "flour"], ["rose", "tulip", "spade", "seeds"]


def two_topics(num_pins: int = 200) -> Corpus:
    """Pins with three words each, from one of two vocabularies that never meet."""
    rng = np.random.default_rng(0)
    return read_corpus([list(rng.choice([KITCHEN, GARDEN][pin % 2], 3)) for pin in range(num_pins)], min_count=1)


def test_words_of_the_same_pins_are_closer_than_words_that_never_meet():
    """The context of a word is its own pin, so each topic becomes a cluster."""
    words = train_word_vectors(two_topics(), SETTINGS)
    unit = words.vectors / np.linalg.norm(words.vectors, axis=1, keepdims=True)
    cosine = unit @ unit.T
    topic = np.array([word in KITCHEN for word in words.vocabulary])
    same, other = topic[:, None] == topic, topic[:, None] != topic
    np.fill_diagonal(same, False)
    assert cosine[same].min() > cosine[other].max()


def test_the_bytes_are_the_same_in_processes_with_other_hash_seeds():
    """Python's randomized string hash decides nothing."""
    program = (
        "import hashlib; from tests.features.test_text import *;"
        "print(hashlib.sha256(train_word_vectors(two_topics(), SETTINGS).vectors.tobytes()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True,
            text=True, check=True, cwd=Path(__file__).parents[2],
        ).stdout.strip()
        for seed in ("1", "2")
    }  # fmt: skip
    here = hashlib.sha256(train_word_vectors(two_topics(), SETTINGS).vectors.tobytes()).hexdigest()
    assert digests == {here}


def test_another_seed_gives_other_vectors():
    """The seed of the settings is the one that decides."""
    first, second = (train_word_vectors(two_topics(20), SETTINGS.model_copy(update={"seed": seed})) for seed in (1, 2))
    assert not np.array_equal(first.vectors, second.vectors)


def test_the_feature_of_a_pin_is_the_mean_of_its_known_words():
    """By hand: two words are averaged, a repeated word counts twice, no known word is a zero row."""
    vectors = np.array([[2, 0], [0, 4]], dtype=np.float32)
    words = WordVectors(["pie", "lemon"], np.array([2, 2]), vectors)
    pins = [["pie", "lemon"], ["lemon", "unheard"], ["unheard"], ["pie", "pie", "lemon", "pie"]]
    text, has_text = zip(*map(words.feature, pins), strict=True)
    assert np.stack(text).tolist() == [[1, 2], [0, 4], [0, 0], [1.5, 1]]
    assert has_text == (True, True, False, True)


def test_chunks_cover_every_pin_in_order(monkeypatch):
    """Chunks of two pins give the same rows as one chunk of all."""
    corpus, vectors = two_topics(7), np.random.default_rng(0).standard_normal((8, 3)).astype(np.float32)
    whole = dict(mean_vectors(corpus, vectors))
    monkeypatch.setattr("pinsage.features.text._CHUNK_PINS", 2)
    chunks = list(mean_vectors(corpus, vectors))
    assert [first for first, _ in chunks] == [0, 2, 4, 6]
    assert np.array_equal(np.concatenate([chunk for _, chunk in chunks]), whole[0])


def test_published_files_answer_for_the_same_and_for_new_pins(tmp_path):
    """What was written can be opened again and gives the features of the catalog's own pins."""
    corpus = read_corpus([["pie", "cake"], [], ["cake", "rare"], ["pie"]], min_count=2)
    facts = write_text_features(corpus, train_word_vectors(corpus, SETTINGS), tmp_path)
    text, has_text = np.load(tmp_path / "text.npy"), np.load(tmp_path / "has_text.npy")
    words = WordVectors.open(tmp_path)
    again, has_again = zip(*map(words.feature, [["pie", "cake"], [], ["cake", "rare"], ["pie"]]), strict=True)
    assert np.array_equal(text, np.stack(again))
    assert has_text.tolist() == list(has_again) == [True, False, True, True]
    assert pq.read_table(tmp_path / "vocabulary.parquet")["word"].to_pylist() == ["cake", "pie"]
    assert facts["pins_without_text"] == 1
    assert facts["words_too_rare"] == 1


def test_a_data_set_without_words_gets_zero_features_and_says_so(tmp_path, caplog):
    """No word at all is no error: the matrix is there, all zero, and a warning is logged."""
    corpus = read_corpus([[], [], []], min_count=2)
    facts = write_text_features(corpus, train_word_vectors(corpus, SETTINGS), tmp_path)
    assert np.array_equal(np.load(tmp_path / "text.npy"), np.zeros((3, 16), dtype=np.float32))
    assert not np.load(tmp_path / "has_text.npy").any()
    assert np.load(tmp_path / "words.npy").shape == (0, 16)
    assert facts["pins_without_text"] == 3
    assert "all text features are zero" in caplog.text


def test_words_that_never_meet_still_get_vectors():
    """Pins with one word each leave nothing to train on; the words keep their distinct first vectors."""
    words = train_word_vectors(read_corpus([["pie"], ["rose"]], min_count=1), SETTINGS)
    assert words.vectors.shape == (2, 16)
    assert not np.array_equal(words.vectors[0], words.vectors[1])
