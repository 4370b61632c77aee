"""What the compiled walks share: draws, a reversible scramble, a selection, and a memory prefetch.

numba's cache on disk notices an edit of the file a function is in, not of the files it calls into: after an edit here,
touch `kernels.py` and `spreading.py`.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)
_FOR_READING, _KEEP_IN_ALL_CACHES, _DATA = 0, 3, 1


def _prefetch(typing_context: Any, array: Any, index: Any) -> Any:
    """Ask the processor to fetch `array[index]` into its caches, and go on: `prefetch(array, index)`.

    The word is not read, so no index can fail; a loop that prefetches what the next loop reads keeps many cache misses
    in flight.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        fetch = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
        address = builder.bitcast(builder.gep(data, [arguments[1]]), byte)
        builder.call(fetch, [address, number(_FOR_READING), number(_KEEP_IN_ALL_CACHES), number(_DATA)])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


prefetch: Any = intrinsic(_prefetch)


@njit(nogil=True, cache=True)
def mixed(bits: np.uint64) -> np.uint64:
    """SplitMix64's output function: 64 bits, each depending on all bits given (Steele, Lea and Flood, 2014)."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


@njit(nogil=True, cache=True)
def stream(seed: np.uint64, pin: int) -> np.uint64:
    """Where the random stream of a start pin begins."""
    return mixed(mixed(seed) + GOLDEN * np.uint64(pin + 1))


@njit(nogil=True, cache=True)
def place_of(key: np.uint64, bits: int) -> np.int64:
    """Where a 32-bit key belongs in a hash table of 2 ** bits places (Fibonacci hashing)."""
    return np.int64(((key * np.uint64(2654435769)) & LOW) >> np.uint64(32 - bits))


@njit(nogil=True, cache=True)
def scrambled(number: np.uint64, key: np.uint64) -> np.uint64:
    """Another 32-bit number for each one, in an order of its own for each 32-bit key (MurmurHash3's finalizer)."""
    bits = number ^ key
    bits = ((bits ^ (bits >> np.uint64(16))) * np.uint64(0x85EBCA6B)) & LOW
    bits = ((bits ^ (bits >> np.uint64(13))) * np.uint64(0xC2B2AE35)) & LOW
    return bits ^ (bits >> np.uint64(16))


@njit(nogil=True, cache=True)
def unscrambled(bits: np.uint64, key: np.uint64) -> np.uint64:
    """The number that `scrambled` made `bits` of."""
    bits = ((bits ^ (bits >> np.uint64(16))) * np.uint64(0x7ED1B41D)) & LOW
    bits = ((bits ^ (bits >> np.uint64(13)) ^ (bits >> np.uint64(26))) * np.uint64(0xA5CB9243)) & LOW
    return (bits ^ (bits >> np.uint64(16))) ^ key


@njit(nogil=True, cache=True)
def move_largest_first(keys: NDArray[np.uint64], begin: int, end: int, count: int) -> None:
    """Reorder keys[begin:end], all different, so that its `count` largest come first, in no order (Hoare's select)."""
    low, high, cut = begin, end - 1, begin + count
    while low < high and begin < cut < end:
        first, middle, last = keys[low], keys[(low + high) >> 1], keys[high]
        pivot = max(min(first, middle), min(max(first, middle), last))
        left, right = low, high
        while left <= right:
            while keys[left] > pivot:
                left += 1
            while keys[right] < pivot:
                right -= 1
            if left <= right:
                keys[left], keys[right] = keys[right], keys[left]
                left += 1
                right -= 1
        if cut <= right:
            high = right
        elif cut > left:
            low = left
        else:
            return
