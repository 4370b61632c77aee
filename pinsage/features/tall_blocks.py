"""Products of tall, narrow matrices with the saves and with each other, on several threads and to the same bytes.

Letters: P pins, B boards, S saves, k columns of a block, n rows of a chunk.

Threads share out whole columns or whole chunks of rows, never a sum: each number is added up by one thread in an order
that does not depend on how many there are. BLAS promises no such thing.
"""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

WIDTH = 32  # columns of a save's pass: 128 bytes of a row; 16 took twice as long, all 160 as long but on one thread
CHUNK_ROWS = 65_536


class Workers:
    """Threads that share out compiled work; `num_threads` 0 is one per core that this process may run on."""

    def __init__(self, num_threads: int = 0) -> None:
        self._pool = ThreadPoolExecutor(num_threads or len(os.sched_getaffinity(0)))

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def map(self, work: Callable[[int], Any], starts: Iterable[int]) -> list[Any]:
        """The results of `work` for each start, in their order."""
        return list(self._pool.map(work, starts))


def through_pins(
    pin_offsets: NDArray[np.int64],
    pin_boards: NDArray[np.int32],
    pin_scale: NDArray[np.float32],
    block: NDArray[np.float32],
    out: NDArray[np.float32],
    workers: Workers,
) -> None:
    """Write Rᵀ diag(`pin_scale`) R `block` to `out`, where R is the 0/1 matrix of saves: no [P, k] is ever held.

    Args:
        pin_offsets: int64 [P + 1], with `pin_boards` int32 [S] the boards of each pin.
        pin_boards: see there.
        pin_scale: float32 [P].
        block: float32 [B, k], k a multiple of WIDTH.
        out: float32 [B, k], not `block`.
        workers: the threads; each takes WIDTH columns at a time.
    """
    out[:] = 0
    offsets, boards = np.asarray(pin_offsets), np.asarray(pin_boards)  # numba knows no memory maps
    workers.map(
        lambda first: _through_pins(offsets, boards, pin_scale, block, first, first + WIDTH, out),
        range(0, block.shape[1], WIDTH),
    )


def inner_products(left: NDArray[np.float32], right: NDArray[np.float32], workers: Workers) -> NDArray[np.float64]:
    """Return `left`ᵀ `right`, float64 [k, k], of two float32 [B, k]."""

    def chunk(first: int) -> NDArray[np.float64]:
        return _inner_products(left[first : first + CHUNK_ROWS], right[first : first + CHUNK_ROWS])

    total = np.zeros((left.shape[1], right.shape[1]))  # [k, k]
    for part in workers.map(chunk, range(0, len(left), CHUNK_ROWS)):
        total += part
    return total


def change_basis(block: NDArray[np.float32], basis: NDArray[np.float64], workers: Workers) -> None:
    """Replace `block`, float32 [B, k], by `block @ basis`, in place; `basis` is [k, k]."""
    narrow = np.ascontiguousarray(basis, dtype=np.float32)
    workers.map(
        lambda first: _change_basis(block[first : first + CHUNK_ROWS], narrow), range(0, len(block), CHUNK_ROWS)
    )


@njit(nogil=True, cache=True)
def sum_rows(offsets: NDArray[np.int64], columns: NDArray[np.int32], table: NDArray[np.float32]) -> NDArray[np.float32]:
    """The sum of the rows of `table` that each of n lists names: float32 [n, width].

    Args:
        offsets: int64 [n + 1]; list i is `columns[offsets[i]:offsets[i + 1]]`.
        columns: int32, rows of `table`: the caller has looked that they are.
        table: float32 [B, width].
    """
    sums = np.zeros((len(offsets) - 1, table.shape[1]), np.float32)  # [n, width]
    for row in range(len(sums)):
        for place in range(offsets[row], offsets[row + 1]):
            vector = table[np.uint64(columns[place])]
            for column in range(table.shape[1]):
                sums[row, np.uint64(column)] += vector[np.uint64(column)]
    return sums


@njit(nogil=True, cache=True)
def _through_pins(
    pin_offsets: NDArray[np.int64],
    pin_boards: NDArray[np.int32],
    pin_scale: NDArray[np.float32],
    block: NDArray[np.float32],
    first: int,
    last: int,
    out: NDArray[np.float32],
) -> None:
    width = last - first  # not a constant: LLVM unrolls a known width into single numbers, five times as slow
    row = np.empty(width, np.float32)
    for pin in range(len(pin_offsets) - 1):
        row[:] = 0
        for place in range(pin_offsets[pin], pin_offsets[pin + 1]):
            board = block[np.uint64(pin_boards[place])]
            for column in range(width):
                row[column] += board[np.uint64(first + column)]
        for column in range(width):
            row[column] *= pin_scale[pin]
        for place in range(pin_offsets[pin], pin_offsets[pin + 1]):
            board = out[np.uint64(pin_boards[place])]
            for column in range(width):
                board[np.uint64(first + column)] += row[column]


@njit(nogil=True, cache=True)
def _inner_products(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float64]:
    """Add the products four rows at a time: a sum is loaded and stored once for four products."""
    total = np.zeros((left.shape[1], right.shape[1]))  # [k, k]
    wide = np.zeros((4, right.shape[1]))
    for start in range(0, len(left), 4):
        count = min(4, len(left) - start)
        wide[:] = 0
        wide[:count] = right[start : start + count]
        for i in range(left.shape[1]):
            a = np.float64(left[start, i])
            b = np.float64(left[start + 1, i]) if count > 1 else 0.0
            c = np.float64(left[start + 2, i]) if count > 2 else 0.0
            d = np.float64(left[start + 3, i]) if count > 3 else 0.0
            for j in range(right.shape[1]):
                total[i, j] += a * wide[0, j] + b * wide[1, j] + c * wide[2, j] + d * wide[3, j]
    return total


@njit(nogil=True, cache=True)
def _change_basis(block: NDArray[np.float32], basis: NDArray[np.float32]) -> None:
    row = np.empty(block.shape[1], np.float32)
    for place in range(len(block)):
        row[:] = 0
        for i in range(block.shape[1]):
            value = block[place, i]
            for j in range(block.shape[1]):
                row[j] += value * basis[i, j]
        block[place] = row
