"""A column as its owner stored it, turned into the one form that ingest works with, or refused by a sentence.

ids and text -> large_string, annotations -> large_list<large_string>, time -> int64
microseconds since 1970 UTC, weights -> double, pictures -> large_binary.
"""

import logging
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pinsage.errors import DatasetError
from pinsage.ingest.source.contract import Kind

log = logging.getLogger(__name__)

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
MICROSECONDS_PER = {"s": 1_000_000, "ms": 1_000, "day": 86_400_000_000}
MAX_ID_CHARACTERS = 4096  # far beyond any that is kept; more is not read of an id that comes as a dictionary
UNREPRESENTABLE = 2**62  # beyond any year that a calendar knows; kept so that the row is quarantined, not the table
STRINGS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
BINARIES = (
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_binary_view,
    pa.types.is_fixed_size_binary,
)
EXTENSION_KEY = b"ARROW:extension:name"


@dataclass(frozen=True)
class Caps:
    """The longest text and the most annotations of a pin that are read; `cut` counts by column what was longer."""

    characters: int = 2**31
    annotations: int = 2**31
    cut: Counter[str] = field(default_factory=Counter, compare=False)

    def report(self, table: str) -> int:
        """Tell a person what was cut, and return how many texts that were."""
        for name, count in sorted(self.cut.items()):
            if count:
                log.warning("%s: %d texts of %s were longer than the settings allow and are cut", table, count, name)
        return self.cut.total()


def check_type(where: str, field: pa.Field, kind: Kind) -> None:
    """Refuse a column whose Arrow type cannot hold what the table's contract asks for.

    Raises:
        DatasetError: names the column, its type and the types that are accepted.
    """
    is_extension = isinstance(field.type, pa.BaseExtensionType) or EXTENSION_KEY in (field.metadata or {})
    if is_extension or not _is_accepted(field.type, kind):
        found = f"the extension type {field.type}" if is_extension else str(field.type)
        raise DatasetError(f"{where}: column '{field.name}' is {found}, not {ACCEPTED[kind]}. {_ADVICE[kind]}")


def canonical(column: pa.Array, kind: Kind, caps: Caps | None = None, name: str = "") -> pa.Array:
    """Return the column in ingest's form for `kind`; its type must have passed `check_type`.

    Args:
        column: as it was read. Texts come as dictionaries, so that one value of a hundred rows is held once.
        kind: what it holds.
        caps: longer texts are cut, and counted under `name`.
        name: of the column.

    Raises:
        pyarrow.ArrowInvalid: the file holds strings that are not UTF-8, or other impossible data.
    """
    caps = caps or Caps()
    # In full, offsets and UTF-8 included: what follows trusts them, and a damaged file may hold anything.
    column.validate(full=True)
    if kind is Kind.ID:
        # A huge id that many rows share would be copied once for each of them.
        is_shared = pa.types.is_dictionary(column.type) and not pa.types.is_integer(column.type.value_type)
        column = _cut(column, Caps(MAX_ID_CHARACTERS), name) if is_shared else column
    if kind is Kind.TIME:
        return _microseconds(decode(column))
    if kind is Kind.ANNOTATIONS:
        return _annotations(column, caps, name)
    if kind is Kind.TEXT:
        return decode(_cut(column, caps, name)).cast(CANONICAL[kind])
    return decode(column).cast(CANONICAL[kind])


def decode(column: pa.Array) -> pa.Array:
    """Return the column without its dictionary, if it has one."""
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
    if not _is_list(found):
        return False
    value = found.value_type.value_type if pa.types.is_dictionary(found.value_type) else found.value_type
    return any(test(value) for test in (*STRINGS, pa.types.is_null))


def _cut(column: pa.Array, caps: Caps, name: str) -> pa.Array:
    """Cut long strings, of a dictionary only its values; Arrow would else hold a long one once for each of its rows."""
    is_shared = pa.types.is_dictionary(column.type)
    values = decode(column.dictionary if is_shared else column).cast(pa.large_string())
    is_long = pc.greater(pc.utf8_length(values), caps.characters)
    # Nearly always: then nothing is copied.
    if not pc.any(is_long).as_py():
        return column if is_shared else values
    caps.cut[name] += pc.sum(is_long.take(column.indices) if is_shared else is_long).as_py()
    values = pc.utf8_slice_codeunits(values, 0, caps.characters)
    return pa.DictionaryArray.from_arrays(column.indices, values) if is_shared else values


def _microseconds(chunk: pa.Array) -> pa.Array:
    if pa.types.is_null(chunk.type):
        return chunk.cast(pa.int64())
    is_day, is_date = pa.types.is_date32(chunk.type), pa.types.is_date(chunk.type)
    unit = "day" if is_day else "ms" if is_date else chunk.type.unit
    ticks = chunk.cast(pa.int32() if is_day else pa.int64()).cast(pa.int64())
    if unit == "us":
        return ticks
    # By whole numbers: a cast of Arrow's refuses a whole column for one year beyond its range.
    times: NDArray[np.int64] = ticks.fill_null(0).to_numpy(zero_copy_only=False)
    if unit == "ns":
        times = times // 1_000
    else:
        most = UNREPRESENTABLE // MICROSECONDS_PER[unit]
        times = np.clip(times, -most, most) * MICROSECONDS_PER[unit]
    return pa.array(times, pa.int64(), mask=ticks.is_null().to_numpy(zero_copy_only=False))


def _annotations(column: pa.Array, caps: Caps, name: str) -> pa.LargeListArray:
    """Return lists of trimmed words, at most so many for each row; a long string or word is cut before it is copied."""
    column = column if _is_list(column.type) else pc.split_pattern(decode(_cut(column, caps, name)), ",")
    # All lists as one flat column with the row of each word: no Python object for a word.
    parents = pc.list_parent_indices(column).to_numpy(zero_copy_only=False)
    words = decode(_cut(pc.list_flatten(column), caps, name)).cast(pa.large_string())
    words = pc.utf8_trim_whitespace(words)
    is_word = pc.greater(pc.binary_length(words), 0).fill_null(False).to_numpy(zero_copy_only=False)
    counts = np.bincount(parents[is_word], minlength=len(column))
    places = np.arange(is_word.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    # Counted over the words that are left, so that blanks take no place of a word.
    is_first = places < caps.annotations
    caps.cut[name] += int((counts > caps.annotations).sum())
    offsets = np.concatenate([[0], np.cumsum(np.minimum(counts, caps.annotations))]).astype(np.int64)
    return pa.LargeListArray.from_arrays(offsets, words.filter(pa.array(is_word)).filter(pa.array(is_first)))
