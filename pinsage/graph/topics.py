"""What pins are about, as 64 signs that words vote on: enough to tell similar pins from others, 64 bytes a pin.

Each word is a direction drawn by its hash, a pin the sum of the directions of its words, less what all pins share, at
unit length. Pins with no word in common are about at right angles (cosine 0 ± 0.13), pins of the same words parallel.

Differs from Pixie, whose topics are learned (LDA over descriptions): this needs no training and no vocabulary.
Source: random projection as in Charikar 2002, "Similarity estimation techniques from rounding algorithms".

Letters: P pins, B boards, R pins of a row group, N words or texts.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit
from numpy.typing import NDArray

from pinsage.catalog.catalog import Catalog
from pinsage.graph.csr import BipartiteGraph
from pinsage.pairs.draws import Hashes, id_hashes, text_hashes
from pinsage.pairs.row_groups import row_groups

DIM = 64  # signs: the bits of a word's hash
SCALE = 127  # a component of 1 as int8
SHORTEST = 1e-3  # what is left of a pin's direction when nothing but rounding tells it from the mean

Topics = NDArray[np.int8]


def pin_topics(catalog: Catalog, graph: BipartiteGraph) -> Topics:
    """int8 [P, 64]: the direction of each pin, 127 times a unit vector; zeros where nothing is known.

    A pin's words are its annotations, or those of its title and description where it has none. A pin without words has
    the categories of its boards instead. The texts are read twice, by row group: for the mean, and to subtract it.
    """
    categories = _category_hashes(catalog)
    total, num_known = np.zeros(DIM), 0
    for directions in _directions(catalog, graph, categories):
        total += directions.sum(axis=0, dtype=np.float64)
        num_known += int(np.count_nonzero(directions.any(axis=1)))
    mean = (total / max(num_known, 1)).astype(np.float32)
    topics, start = np.zeros((catalog.num_pins, DIM), np.int8), 0
    for directions in _directions(catalog, graph, categories):
        _center(directions, mean, topics[start : start + len(directions)])
        start += len(directions)
    return topics


def _directions(
    catalog: Catalog, graph: BipartiteGraph, categories: tuple[Hashes, NDArray[np.bool_]]
) -> Iterator[NDArray[np.float32]]:
    """float32 [R, 64] for each row group of pins: unit vectors, or zeros."""
    start = 0
    for table in row_groups(catalog.folder / "pins.parquet", ["title", "description", "annotations"]):
        data, word_offsets, pin_words = _words(_texts(table))
        hashes = text_hashes(data, word_offsets)
        offsets = graph.pin_offsets[start : start + table.num_rows + 1]
        yield _summed(hashes, pin_words, offsets, graph.pin_boards, *categories)
        start += table.num_rows


def _texts(table: pa.Table) -> pa.Array:
    """The text of each pin in lower case: its annotations, or its title and description where it has none."""
    title, description = (table.column(name).fill_null("") for name in ("title", "description"))
    fallback = pc.binary_join_element_wise(title, description, " ")
    annotations = pc.binary_join(table.column("annotations"), " ").fill_null("")
    texts = pc.utf8_lower(pc.if_else(pc.equal(annotations, ""), fallback, annotations))
    return texts.cast(pa.large_string()).combine_chunks()


def _words(texts: pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """The words of texts end to end (uint8), where each begins (int64 [N+1]), and each text's first word (int64)."""
    _, ends, data = texts.buffers()
    offsets = np.frombuffer(ends, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    letters, word_offsets, text_words = _split(np.frombuffer(data or b"", np.uint8), offsets)
    return letters, word_offsets, text_words


def _category_hashes(catalog: Catalog) -> tuple[Hashes, NDArray[np.bool_]]:
    """The hash of each board's category, uint64 [B], and whether it has one, bool [B]."""
    column = catalog.boards().column("category").fill_null("")
    return id_hashes(column), pc.not_equal(column, "").to_numpy()


@njit(nogil=True, cache=True)
def _is_letter(byte: int) -> bool:
    """Letters and digits of ASCII, and every byte of a character beyond it."""
    return byte >= 128 or 48 <= byte <= 57 or 97 <= byte <= 122


@njit(nogil=True, cache=True)
def _split(data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> tuple[Any, Any, Any]:
    """Runs of letters, at least two bytes long."""
    letters, ends = (
        np.empty(offsets[-1] - offsets[0], np.uint8),
        np.empty((offsets[-1] - offsets[0]) // 2 + 2, np.int64),
    )
    text_words = np.empty(len(offsets), np.int64)
    size, num_words, text_words[0], ends[0] = 0, 0, 0, 0
    for text in range(len(offsets) - 1):
        for place in range(offsets[text], offsets[text + 1] + 1):
            if place < offsets[text + 1] and _is_letter(data[place]):
                letters[size] = data[place]
                size += 1
                continue
            if size - ends[num_words] < 2:
                size = ends[num_words]
            else:
                num_words += 1
                ends[num_words] = size
        text_words[text + 1] = num_words
    return letters[:size], ends[: num_words + 1], text_words


@njit(nogil=True, cache=True)
def _vote(direction: NDArray[np.float32], bits: np.uint64) -> None:
    for place in range(DIM):
        direction[place] += np.float32(1) if (bits >> np.uint64(place)) & np.uint64(1) else np.float32(-1)


@njit(nogil=True, cache=True)
def _summed(
    hashes: Hashes,
    pin_words: NDArray[np.int64],
    pin_offsets: NDArray[np.int64],
    pin_boards: NDArray[np.int32],
    categories: Hashes,
    has_category: NDArray[np.bool_],
) -> Any:
    directions = np.zeros((len(pin_words) - 1, DIM), np.float32)
    for pin in range(len(directions)):
        for word in range(pin_words[pin], pin_words[pin + 1]):
            _vote(directions[pin], hashes[word])
        if pin_words[pin] == pin_words[pin + 1]:
            for save in range(pin_offsets[pin], pin_offsets[pin + 1]):
                if has_category[pin_boards[save]]:
                    _vote(directions[pin], categories[pin_boards[save]])
        length = np.sqrt(np.sum(directions[pin] ** 2))
        if length > 0:
            directions[pin] /= length
    return directions


@njit(nogil=True, cache=True)
def _center(directions: NDArray[np.float32], mean: NDArray[np.float32], topics: Topics) -> None:
    for pin in range(len(directions)):
        if not directions[pin].any():
            continue
        left = directions[pin] - mean
        length = np.sqrt(np.sum(left**2))
        if length > SHORTEST:
            topics[pin] = np.rint(left * (SCALE / length))
