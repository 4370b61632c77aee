"""A column as its owner stored it, turned into the one form the catalog works with, or refused by a sentence.

ids -> strings or a dictionary of strings, text -> large_string, annotations -> large_list<large_string>, time -> int64
microseconds since 1970 UTC, weights -> double, pictures -> large_binary.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pinsage.catalog.schema import Kind
from pinsage.errors import DatasetError

ANNOTATIONS = pa.large_list(pa.large_string())
CANONICAL = {
    Kind.ID: pa.large_string(),
    Kind.TEXT: pa.large_string(),
    Kind.ANNOTATIONS: ANNOTATIONS,
    Kind.TIME: pa.int64(),
    Kind.WEIGHT: pa.float64(),
    Kind.PICTURE: pa.large_binary(),
}
ACCEPTED = {
    Kind.ID: "string or integer",
    Kind.TEXT: "string",
    Kind.ANNOTATIONS: "list of strings or string",
    Kind.TIME: "timestamp or date",
    Kind.WEIGHT: "float or integer",
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


def canonical(column: pa.Array, kind: Kind) -> pa.Array:
    """The column in the catalog's form for `kind`; its type must have passed `check_type`. Ids keep their dictionary.

    Raises:
        pyarrow.ArrowInvalid: the file holds strings that are not UTF-8, or other impossible data.
    """
    if kind is Kind.ID:
        found = _ids(column)
    elif kind is Kind.TIME:
        found = _microseconds(decoded(column))
    elif kind is Kind.ANNOTATIONS:
        found = _annotations(decoded(column))
    else:
        found = decoded(column).cast(CANONICAL[kind])
    found.validate(full=True)
    return found


def decoded(column: pa.Array) -> pa.Array:
    """The column without its dictionary, if it has one."""
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


_ADVICE = {
    Kind.ID: "Write ids as strings.",
    Kind.TEXT: "Write it as a string column, or leave it out.",
    Kind.ANNOTATIONS: "Write it as list<string>, or as one string with commas.",
    Kind.TIME: "Convert it to a timestamp in UTC, or leave it out.",
    Kind.WEIGHT: "Write it as a number greater than 0, or leave it out.",
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
        Kind.WEIGHT: (pa.types.is_floating, pa.types.is_integer),
        Kind.PICTURE: BINARIES,
    }
    return any(test(found) for test in tests[kind])


def _is_list(found: pa.DataType) -> bool:
    return bool(pa.types.is_list(found) or pa.types.is_large_list(found))


def _is_list_of_strings(found: pa.DataType) -> bool:
    return _is_list(found) and any(test(found.value_type) for test in (*STRINGS, pa.types.is_null))


def _ids(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        values = _ids(column.dictionary)
        return pa.DictionaryArray.from_arrays(column.indices.cast(pa.int32()), values)
    is_plain = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    return column if is_plain else column.cast(pa.large_string())


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
