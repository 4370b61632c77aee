"""The held-out pairs that training has as well, by a hash table of the held-out ones.

N pairs.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pinsage.compiled.hash import GOLDEN
from pinsage.pairs.pairs import Pairs

_EMPTY = -1  # no pair: numbers of pairs are not negative


class PairTable:
    """A set of unordered pairs with a mark for each; an open-addressing table at most two thirds full."""

    def __init__(self, most: int) -> None:
        """Room for `most` pairs."""
        # Past two thirds, the runs of places that a search goes through grow quickly.
        bits = max(1, (most + most // 2).bit_length())
        self._keys = np.full(1 << bits, _EMPTY, np.int64)
        self._is_marked = np.zeros(1 << bits, np.bool_)
        self._shift = np.uint64(64 - bits)

    def add(self, pairs: Pairs) -> None:
        """Put pairs into the set."""
        _add(self._keys, self._shift, pairs.pair_keys())

    def mark(self, pairs: Pairs) -> None:
        """Mark those of the pairs, in either direction, that are in the set."""
        _mark(self._keys, self._is_marked, self._shift, pairs.pair_keys())

    def are_marked(self, pairs: Pairs) -> NDArray[np.bool_]:
        """Return whether each pair is in the set and marked: bool [N]."""
        found: NDArray[np.bool_] = _are_marked(self._keys, self._is_marked, self._shift, pairs.pair_keys())
        return found


@njit(nogil=True, cache=True)
def _place(keys: NDArray[np.int64], shift: np.uint64, key: np.int64) -> np.uint64:
    """Find the place of a key, or the free place for it."""
    bits = np.uint64(key)
    # The key is two pins in two halves: folded, both decide the place.
    place = ((bits ^ (bits >> np.uint64(32))) * GOLDEN) >> shift
    while keys[place] != key and keys[place] != _EMPTY:
        # The length is a power of two, so a mask takes the place round the end without a division.
        place = (place + np.uint64(1)) & np.uint64(len(keys) - 1)
    return place


@njit(nogil=True, cache=True)
def _add(keys: NDArray[np.int64], shift: np.uint64, added: NDArray[np.int64]) -> None:
    for key in added:
        keys[_place(keys, shift, key)] = key


@njit(nogil=True, cache=True)
def _mark(keys: NDArray[np.int64], is_marked: NDArray[np.bool_], shift: np.uint64, wanted: NDArray[np.int64]) -> None:
    for key in wanted:
        place = _place(keys, shift, key)
        if keys[place] == key:
            is_marked[place] = True


@njit(nogil=True, cache=True)
def _are_marked(
    keys: NDArray[np.int64], is_marked: NDArray[np.bool_], shift: np.uint64, wanted: NDArray[np.int64]
) -> Any:
    found = np.zeros(len(wanted), np.bool_)
    for index in range(len(wanted)):
        place = _place(keys, shift, wanted[index])
        found[index] = keys[place] == wanted[index] and is_marked[place]
    return found
