"""Quarantined rows as ASCII JSON, a column at a time: safe in a log, however hostile the values. N rows."""

import json
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

ODD_CHARACTER = r"[^ !#-\[\]-~]"  # what JSON or a terminal would not take as it is


def json_records(columns: Mapping[str, pa.Array]) -> pa.Array:
    """Return one JSON object per row, large_string [N].

    Args:
        columns: for each name the values, strings or numbers.
    """
    pieces: list[pa.Array | str] = []
    for name, values in columns.items():
        pieces += [f"{', ' if pieces else '{'}{json.dumps(name)}: ", _json_values(values)]
    return _join(*pieces, "}")


def _json_values(values: pa.Array) -> pa.Array:
    text = values.cast(pa.large_string())
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        return text.fill_null("null")
    quoted, is_odd = _join('"', text, '"'), pc.match_substring_regex(text, ODD_CHARACTER).fill_null(False)
    if pc.any(is_odd).as_py():  # few are: the others need no look in Python
        escaped = [json.dumps(value, ensure_ascii=True) for value in text.filter(is_odd).to_pylist()]
        quoted = pc.replace_with_mask(quoted, is_odd, pa.array(escaped, pa.large_string()))
    return quoted.fill_null("null")


def _join(*pieces: pa.Array | str) -> pa.Array:
    texts = [pa.scalar(piece, pa.large_string()) if isinstance(piece, str) else piece for piece in (*pieces, "")]
    return pc.binary_join_element_wise(*texts)
