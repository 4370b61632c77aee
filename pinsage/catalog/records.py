"""Quarantined rows as ASCII JSON, a column at a time: safe in a log, however hostile the values. N rows."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

MAX_VALUE_LENGTH = 200
ODD_CHARACTER = r"[^ !#-\[\]-~]"  # what JSON or a terminal would not take as it is
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000
CALENDAR = tuple((datetime(year, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1) for year in (1, 9999))


def json_records(columns: Mapping[str, pa.Array]) -> pa.Array:
    """large_string [N]: one JSON object per row, every string cut to 200 characters.

    Args:
        columns: for each name the values: strings, integers, or JSON texts made by `json_times`.
    """
    pieces: list[pa.Array | str] = []
    for name, values in columns.items():
        pieces += [f"{', ' if pieces else '{'}{json.dumps(name)}: ", _json_values(values)]
    return _joined(*pieces, "}")


def iso_times(times: NDArray[np.int64], is_known: NDArray[np.bool_]) -> pa.Array:
    """large_string [N]: the ISO 8601 text of each time (microseconds since 1970 UTC), null where it is not known."""
    texts = np.full(len(times), "", "U40")
    whole, in_calendar = times % SECOND == 0, (times >= CALENDAR[0]) & (times < CALENDAR[1])
    for chosen, unit in ((in_calendar & whole, "s"), (in_calendar & ~whole, "us")):
        instants = times[chosen].astype("datetime64[us]").astype(f"datetime64[{unit}]")
        texts[chosen] = np.char.add(np.datetime_as_string(instants), "+00:00")
    for row in np.flatnonzero(~in_calendar & is_known).tolist():
        texts[row] = iso(int(times[row]))
    return pa.array(texts, pa.large_string(), mask=~is_known)


def iso(time: int) -> str:
    """The ISO 8601 text of a time, or its number of microseconds where no calendar has that year."""
    try:
        return (EPOCH + timedelta(microseconds=time)).isoformat()
    except OverflowError:
        return f"{time} us"


def _json_values(values: pa.Array) -> pa.Array:
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        return values.cast(pa.large_string()).fill_null("null")
    text = values.cast(pa.large_string())
    quoted = _joined('"', text, '"')
    is_odd = pc.or_(pc.match_substring_regex(text, ODD_CHARACTER), pc.greater(pc.utf8_length(text), MAX_VALUE_LENGTH))
    is_odd = is_odd.fill_null(False)
    if pc.any(is_odd).as_py():
        escaped = [json.dumps(_short(value), ensure_ascii=True) for value in text.filter(is_odd).to_pylist()]
        quoted = pc.replace_with_mask(quoted, is_odd, pa.array(escaped, pa.large_string()))
    return quoted.fill_null("null")


def _joined(*pieces: pa.Array | str) -> pa.Array:
    texts = [pa.scalar(piece, pa.large_string()) if isinstance(piece, str) else piece for piece in (*pieces, "")]
    return pc.binary_join_element_wise(*texts)


def _short(text: str) -> str:
    is_long = len(text) > MAX_VALUE_LENGTH
    return f"{text[:MAX_VALUE_LENGTH]}… ({len(text):,} characters)" if is_long else text
