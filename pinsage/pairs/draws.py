"""Draws that hang on ids: the same tomorrow, whatever row numbers tomorrow's pins have.

N texts or pairs.
"""

from typing import Any

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from pinsage.compiled.hash import GOLDEN, mix

Hashes = NDArray[np.uint64]


def id_hashes(ids: pa.Array | pa.ChunkedArray) -> Hashes:
    """The hash of each id, uint64 [N]: read where Arrow keeps their bytes, no Python string is made."""
    chunks = ids.chunks if isinstance(ids, pa.ChunkedArray) else [ids]
    return np.concatenate([np.zeros(0, np.uint64), *map(_chunk_hashes, chunks)])


def _chunk_hashes(ids: pa.Array) -> Hashes:
    texts = ids.cast(pa.large_string())
    _, ends, data = texts.buffers()
    # A slice of an Arrow array keeps the buffers of the whole, and says where it begins in them.
    offsets = np.frombuffer(ends, np.int64)[texts.offset : texts.offset + len(texts) + 1]  # [N + 1]
    hashes: Hashes = _text_hashes(np.frombuffer(data or b"", np.uint8), offsets)
    return hashes


def draw_by_hash(first: Hashes, second: Hashes, seed: int) -> Hashes:
    """A draw for each pair of hashes, uint64 [N]: the same whenever the pair and the seed are."""
    draws: Hashes = _pair_draws(first, second, np.uint64(seed))
    return draws


@njit(nogil=True, cache=True)
def _first(value: np.uint64) -> np.uint64:
    """The first number of the SplitMix64 stream that begins at `value`."""
    return mix(value + GOLDEN)


@njit(nogil=True, cache=True)
def _text_hashes(data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> Any:
    """Hash texts eight bytes at a time, the last ones filled up with zeros; the length tells 'a' from 'a\\0'."""
    hashes = np.empty(len(offsets) - 1, np.uint64)
    for text in range(len(hashes)):
        begin, end = offsets[text], offsets[text + 1]
        # The length first, or texts that end in zero bytes would be equal to shorter ones.
        state = _first(np.uint64(end - begin))
        for word_begin in range(begin, end, 8):
            word = np.uint64(0)
            for place in range(word_begin, min(word_begin + 8, end)):
                word |= np.uint64(data[place]) << np.uint64(8 * (place - word_begin))
            state = _first(state ^ word)
        hashes[text] = state
    return hashes


@njit(nogil=True, cache=True)
def _pair_draws(first: Hashes, second: Hashes, seed: np.uint64) -> Any:
    draws, begin = np.empty(len(first), np.uint64), _first(seed)
    for pair in range(len(first)):
        # One after the other, not by a sum: (a, b) and (b, a) are different draws.
        draws[pair] = _first(_first(begin ^ first[pair]) ^ second[pair])
    return draws
