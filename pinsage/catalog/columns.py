"""A column as its owner stored it, turned into the one form the catalog works with, or refused by a sentence.

ids -> dictionary of strings, text -> large_string, annotations -> large_list<large_string>, time -> int64
microseconds since 1970 UTC, pictures -> large_binary. N rows, U distinct ids.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pinsage.catalog.schema import Kind
from pinsage.errors import DatasetError

ID = pa.dictionary(pa.int32(), pa.string())
ANNOTATIONS = pa.large_list(pa.large_string())
CANONICAL = {
    Kind.ID: ID,
    Kind.TEXT: pa.large_string(),
    Kind.ANNOTATIONS: ANNOTATIONS,
    Kind.TIME: pa.int64(),
    Kind.PICTURE: pa.large_binary(),
}
ACCEPTED = {
    Kind.ID: "string or integer",
    Kind.TEXT: "string",
    Kind.ANNOTATIONS: "list of strings or string",
    Kind.TIME: "timestamp or date",
    Kind.PICTURE: "binary",
}
MICROSECONDS_PER = {"s": 1_000_000, "ms": 1_000, "us": 1, "day": 86_400_000_000}
UNREPRESENTABLE = 2**62  # beyond any year that a calendar knows; kept so that the row is quarantined, not the table
STRINGS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
BINARIES = (
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_binary_view,
    pa.types.is_fixed_size_binary,
)
EXTENSION_KEY = b"ARROW:extension:name"


def check_type(where: str, field: pa.Field, kind: Kind) -> None:
    """Refuse a column whose Arrow type cannot hold what the table's contract asks for.

    Raises:
        DatasetError: names the column, its type and the types that are accepted.
    """
    is_extension = isinstance(field.type, pa.BaseExtensionType) or EXTENSION_KEY in (field.metadata or {})
    if is_extension or not _is_accepted(field.type, kind):
        found = f"the extension type {field.type}" if is_extension else str(field.type)
        raise DatasetError(f"{where}: column '{field.name}' is {found}, not {ACCEPTED[kind]}. {_ADVICE[kind]}")


def canonical(column: pa.ChunkedArray, kind: Kind) -> pa.ChunkedArray:
    """The column in the catalog's form for `kind`; its type must have passed `check_type`.

    Raises:
        pyarrow.ArrowInvalid: the file holds strings that are not UTF-8, or other impossible data.
    """
    if kind is Kind.ID:
        chunks = [_id_chunk(chunk) for chunk in column.chunks]
    elif kind is Kind.TIME:
        chunks = [_microseconds(_decoded(chunk)) for chunk in column.chunks]
    elif kind is Kind.ANNOTATIONS:
        chunks = [_annotations(_decoded(chunk)) for chunk in column.chunks]
    else:
        chunks = [_decoded(chunk).cast(CANONICAL[kind]) for chunk in column.chunks]
    for chunk in chunks:
        chunk.validate(full=True)
    return pa.chunked_array(chunks, type=CANONICAL[kind])


@dataclass(frozen=True)
class IdColumn:
    """A column of ids: `codes` int32 [N] point into `values`, U distinct strings; -1 is null."""

    codes: NDArray[np.int32]
    values: pa.Array

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> "IdColumn":
        """The ids of a canonical id column."""
        if column.num_chunks == 0:
            return cls(np.zeros(0, np.int32), pa.array([], pa.string()))
        chunks = column.unify_dictionaries().chunks
        codes = [chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False) for chunk in chunks]
        return cls(np.concatenate(codes).astype(np.int32, copy=False), chunks[0].dictionary)

    def rows_in(self, ids: pa.Array) -> NDArray[np.int32]:
        """int32 [N]: the place of each id in `ids`, or -1 where it is not there or null."""
        places = pc.index_in(self.values, value_set=ids).fill_null(-1).to_numpy(zero_copy_only=False)
        return self._spread(places.astype(np.int32, copy=False), -1)

    def is_null(self) -> NDArray[np.bool_]:
        """bool [N]: the id is missing."""
        return self.codes < 0

    def matches(self, of_values: pa.Array) -> NDArray[np.bool_]:
        """bool [N] from a boolean Arrow array over the U distinct values; False where the id is null."""
        return self._spread(of_values.to_numpy(zero_copy_only=False), False)

    def text(self, row: int) -> str | None:
        """The id in `row`."""
        code = int(self.codes[row])
        return None if code < 0 else str(self.values[code].as_py())

    def _spread(self, of_values: NDArray, null: int) -> NDArray:  # type: ignore[type-arg]
        return np.append(of_values, np.asarray([null], of_values.dtype))[self.codes]


_ADVICE = {
    Kind.ID: "Write ids as strings.",
    Kind.TEXT: "Write it as a string column, or leave it out.",
    Kind.ANNOTATIONS: "Write it as list<string>, or as one string with commas.",
    Kind.TIME: "Convert it to a timestamp in UTC, or leave it out.",
    Kind.PICTURE: "Store the encoded bytes of each picture, or use image_path.",
}


def _is_accepted(found: pa.DataType, kind: Kind) -> bool:
    if pa.types.is_dictionary(found):
        return _is_accepted(found.value_type, kind)
    if pa.types.is_null(found):
        return True
    tests = {
        Kind.ID: (*STRINGS, pa.types.is_integer),
        Kind.TEXT: STRINGS,
        Kind.ANNOTATIONS: (*STRINGS, _is_list_of_strings),
        Kind.TIME: (pa.types.is_timestamp, pa.types.is_date),
        Kind.PICTURE: BINARIES,
    }
    return any(test(found) for test in tests[kind])


def _is_list(found: pa.DataType) -> bool:
    return bool(pa.types.is_list(found) or pa.types.is_large_list(found))


def _is_list_of_strings(found: pa.DataType) -> bool:
    return _is_list(found) and any(test(found.value_type) for test in (*STRINGS, pa.types.is_null))


def _decoded(chunk: pa.Array) -> pa.Array:
    return chunk.dictionary_decode() if pa.types.is_dictionary(chunk.type) else chunk


def _id_chunk(chunk: pa.Array) -> pa.DictionaryArray:
    chunk = chunk.cast(pa.string()) if pa.types.is_string_view(chunk.type) else chunk
    encoded = chunk if pa.types.is_dictionary(chunk.type) else chunk.dictionary_encode()
    indices = encoded.indices.cast(pa.int32())
    values = encoded.dictionary.cast(pa.string())
    values.validate(full=True)
    distinct = values.dictionary_encode()  # a writer may repeat a value, or hide a null, in its dictionary
    return pa.DictionaryArray.from_arrays(distinct.indices.take(indices), distinct.dictionary)


def _microseconds(chunk: pa.Array) -> pa.Array:
    if pa.types.is_null(chunk.type):
        return chunk.cast(pa.int64())
    is_known = chunk.is_valid().to_numpy(zero_copy_only=False)
    raw, unit = _raw_time(chunk)
    if unit == "ns":
        times = raw // 1_000
    else:
        factor = MICROSECONDS_PER[unit]
        times = np.clip(raw, -(UNREPRESENTABLE // factor), UNREPRESENTABLE // factor) * factor
    return pa.array(times, pa.int64(), mask=~is_known)


def _raw_time(chunk: pa.Array) -> tuple[NDArray[np.int64], str]:
    if pa.types.is_date32(chunk.type):
        return _integers(chunk.cast(pa.int32()).cast(pa.int64())), "day"
    unit = "ms" if pa.types.is_date64(chunk.type) else chunk.type.unit
    return _integers(chunk.cast(pa.int64())), unit


def _integers(chunk: pa.Array) -> NDArray[np.int64]:
    return np.asarray(chunk.fill_null(0).to_numpy(zero_copy_only=False), np.int64)


def _annotations(chunk: pa.Array) -> pa.LargeListArray:
    if not _is_list(chunk.type):
        chunk = pc.split_pattern(chunk.cast(pa.large_string()), ",")
    parents = pc.list_parent_indices(chunk).to_numpy(zero_copy_only=False)
    words = pc.utf8_trim_whitespace(pc.list_flatten(chunk).cast(pa.large_string()))
    is_word = pc.greater(pc.binary_length(words), 0).fill_null(False)
    counts = np.bincount(parents[is_word.to_numpy(zero_copy_only=False)], minlength=len(chunk))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return pa.LargeListArray.from_arrays(offsets, words.filter(is_word))
