"""Values grouped by a key, by counting, in two passes whose writes stay in the processor's cache.

A counting sort writes each value straight to its row: at 10 M rows that is a cache miss each. Here the first pass
partitions the values into a few hundred buckets of neighboring rows, and the second places them within one at a time.

Letters: N values, R rows.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

MOST_BUCKETS = 512  # as many streams of writes as the first pass keeps open; 64 to 500 were equally fast
MOST_BITS = 16  # of a row's place in its bucket, so that it fits uint16


def group_by_key(
    keys: NDArray[np.int32], values: NDArray[np.int32], num_rows: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The values of each key, in the order given. Takes 6 N bytes beside its answer.

    Args:
        keys: int32 [N], from 0 to `num_rows` - 1: the caller has looked, compiled code would write anywhere.
        values: int32 [N].
        num_rows: R.

    Returns:
        offsets int64 [R+1] and int32 [N]: the values of row r are `[offsets[r]:offsets[r+1]]`.
    """
    offsets, out = np.zeros(num_rows + 1, np.int64), np.empty(len(values), np.int32)
    bits = min(max(num_rows - 1, 0).bit_length(), MOST_BITS)
    # Buckets as small as their number allows: the second pass then works in less cache.
    while bits and (num_rows - 1) >> (bits - 1) < MOST_BUCKETS:
        bits -= 1
    starts = _bucket_starts(keys, bits, ((num_rows - 1) >> bits) + 1)
    places, parted = np.empty(len(keys), np.uint16), np.empty(len(keys), np.int32)  # [N] each
    # A copy, for the first pass moves its cursors and the second one needs the starts.
    _partition(keys, values, bits, starts[:-1].copy(), places, parted)
    _place(places, parted, bits, starts, offsets, out)
    return offsets, out


@njit(nogil=True, cache=True)
def run_offsets(keys: NDArray[np.int32], num_rows: int) -> NDArray[np.int64]:
    """The first place of each row in ascending `keys`, which lie between 0 and R - 1: int64 [R+1]."""
    offsets, row = np.zeros(num_rows + 1, np.int64), 0
    for place in range(len(keys)):
        # Rows without values get the place of the next one: they are empty, not missing.
        while row < keys[place]:
            row += 1
            offsets[row] = place
    offsets[row + 1 :] = len(keys)
    return offsets


@njit(nogil=True, cache=True)
def rows_of(offsets: NDArray[np.int64]) -> NDArray[np.int32]:
    """The row of every value, int32 [N]: what `np.repeat` gives, without its int64."""
    rows = np.empty(offsets[-1], np.int32)  # [N]
    for row in range(len(offsets) - 1):
        rows[offsets[row] : offsets[row + 1]] = row
    return rows


@njit(nogil=True, cache=True)
def are_ascending(first: NDArray[np.int32], second: NDArray[np.int32]) -> bool:
    """Return whether the pairs (first, second) ascend; equal pairs may follow each other."""
    for place in range(1, len(first)):
        if first[place] < first[place - 1] or (first[place] == first[place - 1] and second[place] < second[place - 1]):
            return False
    return True


@njit(nogil=True, cache=True)
def _bucket_starts(keys: NDArray[np.int32], bits: int, num_buckets: int) -> NDArray[np.int64]:
    starts = np.zeros(num_buckets + 1, np.int64)
    for key in keys:
        # Counted one place up, so that the running sum below leaves starts and not ends.
        starts[(key >> bits) + 1] += 1
    for bucket in range(num_buckets):
        starts[bucket + 1] += starts[bucket]
    return starts


@njit(nogil=True, cache=True)
def _partition(
    keys: NDArray[np.int32],
    values: NDArray[np.int32],
    bits: int,
    cursor: NDArray[np.int64],
    places: NDArray[np.uint16],
    parted: NDArray[np.int32],
) -> None:
    mask = (1 << bits) - 1
    for index in range(len(keys)):
        key = keys[index]
        at = cursor[key >> bits]
        # The place in the bucket fits two bytes; the bucket itself is told by where the value lies.
        places[at] = key & mask
        parted[at] = values[index]
        cursor[key >> bits] = at + 1


@njit(nogil=True, cache=True)
def _place(
    places: NDArray[np.uint16],
    parted: NDArray[np.int32],
    bits: int,
    starts: NDArray[np.int64],
    offsets: NDArray[np.int64],
    out: NDArray[np.int32],
) -> None:
    # One bucket's cursors, half a megabyte at most, used again for every bucket: they stay in the cache.
    cursor = np.empty(1 << bits, np.int64)
    for bucket in range(len(starts) - 1):
        begin, end, first_row = starts[bucket], starts[bucket + 1], bucket << bits
        cursor[:] = 0
        for index in range(begin, end):
            cursor[places[index]] += 1
        at = begin
        for row in range(min(1 << bits, len(offsets) - 1 - first_row)):
            count = cursor[row]
            # The count has been read and its cell becomes the cursor: one small array, not two.
            cursor[row] = at
            at += count
            offsets[first_row + row + 1] = at
        # In the order given, so that equal keys keep it: grouping by a second key first makes a sort by two.
        for index in range(begin, end):
            row = places[index]
            out[cursor[row]] = parted[index]
            cursor[row] += 1
