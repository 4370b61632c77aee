"""Memory for minibatches, used again and again: a fresh block costs a page fault per 4 KiB."""

import math
import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinsage.batches.minibatch import Minibatch, Transpose

_SLACK = 1.1  # minibatches differ a little in size; a block that fits the largest so far serves them all
_PAGE = 4096


def plain_block(size_bytes: int) -> memoryview:
    """A fresh block of memory."""
    return np.empty(size_bytes, np.uint8).data


class MemoryPool:
    """A pool of memory for arrays: that of an array is free again when nothing refers to it any more.

    Nobody has to say that a minibatch is done with. A view, a tensor over the array, or what autograd has saved of it
    keeps the memory in use, so it can never be overwritten under a reader; in a training loop the blocks in use come to
    the minibatches that wait, are being built and are in use. Threads may share one.
    """

    def __init__(self, new_block: Callable[[int], memoryview] = plain_block) -> None:
        """`new_block` gives a block of so many bytes, such as one that a GPU can read by itself."""
        self._new_block = new_block
        self._lock = threading.Lock()
        self._free: dict[int, memoryview] = {}  # by identity: two blocks of the same bytes are equal

    def array(self, shape: tuple[int, ...], dtype: Any = np.float32) -> NDArray[Any]:
        """An array of a shape and type, with whatever was in the memory before."""
        count = math.prod(shape)
        block = self._block(count * np.dtype(dtype).itemsize)
        # Over a memoryview and not an array: numpy would let views refer to the owner and skip the array watched here.
        whole = np.frombuffer(block, dtype, count)
        weakref.finalize(whole, self._free.__setitem__, id(block), block).atexit = False
        return whole.reshape(shape)

    def copy(self, array: NDArray[Any]) -> NDArray[Any]:
        """The array in this memory."""
        copied = self.array(array.shape, array.dtype)
        np.copyto(copied, array)
        return copied

    def _block(self, size_bytes: int) -> memoryview:
        # A dictionary's methods are atomic, so the garbage collector may hand a block back in the midst of this.
        with self._lock:
            # Half to twice the size: a larger block would be wasted on a small array, and the sizes of a training vary
            # little.
            like = [
                block for block in self._free.copy().values() if size_bytes < 2 * len(block) < 4 * size_bytes + _PAGE
            ]
            like.sort(key=len)
            fitting = next((block for block in like if len(block) >= size_bytes), None)
            if fitting is not None:
                return self._free.pop(id(fitting))
            if like:
                del self._free[id(like[0])]  # too small for the minibatches of now
        return self._new_block(max(1, int(size_bytes * _SLACK)))


def copy_into(memory: MemoryPool, batch: Minibatch) -> Minibatch:
    """The minibatch with all its arrays in `memory`, where its features are already."""
    subgraph = batch.subgraph
    transposes = tuple(
        Transpose(memory.copy(item.offsets), memory.copy(item.positions)) for item in subgraph.transposes
    )
    arrays: dict[str, Any] = {name: memory.copy(getattr(subgraph, name)) for name in ("nodes", "neighbors", "weights")}
    parts: dict[str, Any] = {
        name: memory.copy(value)
        for name, value in vars(batch).items()
        if isinstance(value, np.ndarray) and name != "features"
    }
    return replace(batch, subgraph=replace(subgraph, transposes=transposes, **arrays), **parts)
