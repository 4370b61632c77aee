"""Hashes of whole numbers: draws from a counter, and orders that can be undone."""

import numpy as np
from numba import njit

GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # SplitMix64's step from one number of a stream to the next
LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)


@njit(nogil=True, cache=True)
def mix(bits: np.uint64) -> np.uint64:
    """SplitMix64's output function: 64 bits, each depending on all bits given (Steele, Lea and Flood, 2014)."""
    # Stafford's variant 13 of MurmurHash3's finalizer, the constants that SplitMix64 is published with.
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


@njit(nogil=True, cache=True)
def stream(seed: np.uint64, pin: int) -> np.uint64:
    """The first state of the random stream of a start pin."""
    # Mixed twice, lest the streams of neighboring pins be one stream shifted by a step.
    # Counted from 1, or the stream of pin 0 would be the seed's own.
    return mix(mix(seed) + GOLDEN * np.uint64(pin + 1))


@njit(nogil=True, cache=True)
def scramble(number: np.uint64, key: np.uint64) -> np.uint64:
    """A 32-bit number in the place of another, in an order of its own for each 32-bit key (MurmurHash3's finalizer)."""
    # Xor-shifts and products with odd numbers can be undone, so no two numbers get the same bits: keys made from them
    # never tie, and the number is read back from its key without a table.
    bits = number ^ key
    bits = ((bits ^ (bits >> np.uint64(16))) * np.uint64(0x85EBCA6B)) & LOW
    bits = ((bits ^ (bits >> np.uint64(13))) * np.uint64(0xC2B2AE35)) & LOW
    return bits ^ (bits >> np.uint64(16))


@njit(nogil=True, cache=True)
def unscramble(bits: np.uint64, key: np.uint64) -> np.uint64:
    """The number that `scramble` made `bits` of."""
    # The factors are the inverses modulo 2^32 of those in `scramble`, in reverse order.
    bits = ((bits ^ (bits >> np.uint64(16))) * np.uint64(0x7ED1B41D)) & LOW
    bits = ((bits ^ (bits >> np.uint64(13)) ^ (bits >> np.uint64(26))) * np.uint64(0xA5CB9243)) & LOW
    return (bits ^ (bits >> np.uint64(16))) ^ key
