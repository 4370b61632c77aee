"""Where an id stands among the known ones: a compiled hash table over the bytes of the ids.

U known ids, N ids to look up. Arrow's `index_in` builds its table anew for every call, which costs more than the rows
of a batch. A slot holds 32 bits of an id's hash and its place; equal hashes are followed by a comparison of the bytes,
so that a collision costs time and never merges two ids. Many ids are on their way at once, stage by stage, so that the
cache misses of one wait together with those of the others.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

WHOLE_HASH = 2**64 - 1
LANES = 256
HIGH = np.uint64(0xFFFFFFFF00000000)
LOW = np.uint64(0x00000000FFFFFFFF)

Bytes = tuple[NDArray[np.uint8], NDArray[np.int64]]


@dataclass(frozen=True)
class IdTable:
    """U distinct ids; the number of an id is its place in the array that the table was made of.

    `known` are their bytes and bounds; `slots` uint64 [a power of two], 0 where empty; `hash_mask` picks bits of hash.
    """

    known: Bytes
    slots: NDArray[np.uint64]
    hash_mask: np.uint64

    @classmethod
    def of(cls, ids: pa.Array, *, hash_mask: int = WHOLE_HASH) -> "IdTable":
        """The table of an Arrow string array without nulls or repetitions; a smaller `hash_mask` weakens the hash."""
        data, bounds = bytes_of(ids)
        known = data[bounds[0] : bounds[-1] + 1].copy(), bounds - bounds[0]  # numpy asks for huge pages, Arrow does not
        capacity = 1 << max(4, (2 * len(ids)).bit_length())
        slots, mask = np.full(capacity, 0, np.uint64), np.uint64(hash_mask)  # zeros() would not ask for huge pages
        _fill(slots, *known, mask)
        return cls(known, slots, mask)

    def rows(self, ids: pa.Array) -> NDArray[np.int32]:
        """int32 [N]: the number of each id, -1 where it is unknown or null.

        Args:
            ids: an Arrow array of strings, or a dictionary array of strings, of which only the dictionary is looked up.
        """
        if pa.types.is_dictionary(ids.type):
            codes = ids.indices.fill_null(len(ids.dictionary)).to_numpy(zero_copy_only=False)
            spread: NDArray[np.int32] = np.append(self.rows(ids.dictionary), np.int32(-1))[codes]
            return spread
        found = np.empty(len(ids), np.int32)
        _look_up(self.slots, *self.known, *bytes_of(ids), self.hash_mask, found)
        if ids.null_count:
            found[ids.is_null().to_numpy(zero_copy_only=False)] = -1
        return found


def bytes_of(ids: pa.Array) -> Bytes:
    """The bytes of a string array, and int64 [N + 1]: where each string begins and the last one ends."""
    width = np.int64 if pa.types.is_large_string(ids.type) else np.int32
    _, ends, data = ids.buffers()
    if not len(ids) or data is None:
        return np.frombuffer(b"\0", np.uint8), np.zeros(len(ids) + 1, np.int64)
    bounds = np.frombuffer(ends, width)[ids.offset : ids.offset + len(ids) + 1].astype(np.int64)
    return np.frombuffer(data, np.uint8), bounds


@intrinsic
def _word(_context, data, place):  # type: ignore[no-untyped-def]
    """Eight bytes of a uint8 array from `place` on as one number, wherever they are aligned."""

    def code(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        pointer = builder.gep(array.data, [arguments[1]])
        return builder.load(builder.bitcast(pointer, ir.IntType(64).as_pointer()), align=1)

    return types.uint64(data, types.int64), code


@njit(nogil=True, cache=True)
def _hash(data, begin, end, mask):  # type: ignore[no-untyped-def]
    value, place = np.uint64(end - begin), begin
    while place + 8 <= end:
        value = _mixed(value ^ _word(data, place))  # type: ignore[call-arg]
        place += 8
    rest = np.uint64(0)
    while place < end:
        rest = (rest << np.uint64(8)) | np.uint64(data[place])
        place += 1
    return _mixed(value ^ rest) & mask


@njit(nogil=True, cache=True)
def _mixed(value):  # type: ignore[no-untyped-def]
    value = (value ^ (value >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
    value = (value ^ (value >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
    return value ^ (value >> np.uint64(32))


@njit(nogil=True, cache=True)
def _is_same(data, begin, end, known, known_begin, known_end):  # type: ignore[no-untyped-def]
    if end - begin != known_end - known_begin:
        return False
    place, shift = begin, known_begin - begin
    while place + 8 <= end:
        if _word(data, place) != _word(known, place + shift):  # type: ignore[call-arg]
            return False
        place += 8
    while place < end:
        if data[place] != known[place + shift]:
            return False
        place += 1
    return True


@njit(nogil=True, cache=True)
def _fill(slots, known, bounds, mask):  # type: ignore[no-untyped-def]
    last = np.uint64(len(slots) - 1)
    for number in range(len(bounds) - 1):
        value = _hash(known, bounds[number], bounds[number + 1], mask)
        slot = value & last
        while slots[slot] != 0:
            slot = (slot + np.uint64(1)) & last
        slots[slot] = (value & HIGH) | np.uint64(number + 1)


@njit(nogil=True, cache=True)
def _next_alike(slots, slot, value):  # type: ignore[no-untyped-def]
    """From `slot` on, the first slot that is empty or holds a hash with the same 32 bits."""
    last = np.uint64(len(slots) - 1)
    while slots[slot] != 0 and slots[slot] & HIGH != value & HIGH:
        slot = (slot + np.uint64(1)) & last
    return slot


@njit(nogil=True, cache=True)
def _look_up(slots, known, bounds, data, ends, mask, found):  # type: ignore[no-untyped-def]
    last, touched = np.uint64(len(slots) - 1), np.uint64(0)
    values, places = np.empty(LANES, np.uint64), np.empty(LANES, np.uint64)
    numbers = np.empty(LANES, np.int64)
    for start in range(0, len(found), LANES):
        lanes = min(LANES, len(found) - start)
        for lane in range(lanes):
            values[lane] = _hash(data, ends[start + lane], ends[start + lane + 1], mask)
        for lane in range(lanes):
            touched ^= slots[values[lane] & last]
        for lane in range(lanes):
            places[lane] = _next_alike(slots, values[lane] & last, values[lane])
            numbers[lane] = max(np.int64(slots[places[lane]] & LOW), np.int64(1)) - np.int64(1)
        for lane in range(lanes):
            touched ^= np.uint64(known[bounds[numbers[lane]]])
        for lane in range(lanes):
            begin, end, slot = ends[start + lane], ends[start + lane + 1], places[lane]
            found[start + lane] = -1
            while slots[slot] != 0:
                number = np.int64(slots[slot] & LOW) - 1
                if _is_same(data, begin, end, known, bounds[number], bounds[number + 1]):
                    found[start + lane] = number
                    break
                slot = _next_alike(slots, (slot + np.uint64(1)) & last, values[lane])
    return touched  # so that the loads above are made
