"""The words of a pin: its annotations, then what its title, link and description say."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import islice
from typing import Any

import pyarrow as pa

COLUMNS = ["annotations", "title", "description", "link"]
MAX_PHRASE_WORDS = 4
MAX_WORD_LENGTH = 64
_CHUNK_ROWS = 65_536
_HOST = re.compile(r"(?:[a-z][a-z0-9+.-]*://|//)?(?:[^/?#@]*@)?([^/?#:@]+)")
_SECOND_LEVEL = frozenset("ac co com edu gov ne net or org".split())


def words_of_pins(pins: pa.Table, *, max_words: int) -> Iterator[list[str]]:
    """The words of each pin in turn, read in chunks of rows so that only the table itself is held in memory.

    They are its annotations, then the words of its title, of its link's domain and of its description, in this order,
    so that a long description cannot crowd out the others.

    Args:
        pins: a table with any of the columns `annotations`, `title`, `description` and `link`.
        max_words: words beyond this many are not read.
    """
    # Other columns, pictures among them, are never turned into Python objects.
    kept = pins.select([name for name in COLUMNS if name in pins.column_names])
    for batch in kept.to_batches(max_chunksize=_CHUNK_ROWS):
        columns = [_values(batch, name) for name in COLUMNS]
        for annotations, title, description, link in zip(*columns, strict=True):
            yield words_of_pin(annotations or (), title, link, description, max_words=max_words)


def words_of_pin(
    annotations: Sequence[str | None], title: str | None, link: str | None, description: str | None, *, max_words: int
) -> list[str]:
    """The words of one pin, as `words_of_pins` reads them from a table."""
    return list(islice(_words(annotations, title, link, description), max_words))


def tokens(text: str) -> Iterator[str]:
    """The words of a text in lower case and order; numbers, single characters and over-long runs are left out."""
    for found in _word_pattern().finditer(_fold(text)):
        word = found.group()
        if 1 < len(word) <= MAX_WORD_LENGTH and not word.isnumeric():
            yield word


def annotation_words(annotation: str) -> Iterator[str]:
    """A phrase as one word, then its own words: 'board game' -> 'board_game', 'board', 'game'.

    The phrase says most, its words make up for a phrase that is too rare to have a vector, and for annotations that
    came without separators between them. More than four words are no phrase.

    Differs from the paper: there an annotation is one word and nothing else; two billion pins leave few rare ones.
    """
    words = list(tokens(annotation))
    if 1 < len(words) <= MAX_PHRASE_WORDS:
        yield "_".join(words)
    yield from words


def domain_words(link: str) -> Iterator[str]:
    """The names in a link's host without `www` and the top level: 'https://www.etsy.co.uk/listing/1' -> 'etsy'."""
    host = _HOST.match(link.strip().lower())
    labels = host.group(1).split(".")[:-1] if host else []
    if len(labels) > 1 and labels[-1] in _SECOND_LEVEL:
        labels = labels[:-1]
    for label in labels:
        if label != "www":
            yield from tokens(label)


def _words(
    annotations: Sequence[str | None], title: str | None, link: str | None, description: str | None
) -> Iterator[str]:
    for annotation in annotations:
        yield from annotation_words(annotation or "")
    yield from tokens(title or "")
    yield from domain_words(link or "")
    yield from tokens(description or "")


def _values(batch: pa.RecordBatch, name: str) -> list[Any]:
    return batch.column(name).to_pylist() if name in batch.schema.names else [None] * batch.num_rows


def _fold(text: str) -> str:
    """Lower case, and one form for what looks the same (full-width letters, ligatures, composed accents)."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold().replace("’", "'")


@cache
def _word_pattern() -> re.Pattern[str]:
    r"""Letters, digits and the marks that belong to them, with inner apostrophes.

    `\w` alone has no combining marks, so it would cut every word of Hindi or Thai at its vowels.
    """
    marks = "".join(character for character in map(chr, range(0xFFFF)) if unicodedata.category(character)[0] == "M")
    letter = rf"(?:[^\W_]|[{marks}])"
    return re.compile(rf"{letter}+(?:'{letter}+)*")
