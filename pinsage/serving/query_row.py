"""A row of a request to the served model: read value by value, and refused in a sentence of its own."""

import base64
import binascii
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pinsage.errors import InputError
from pinsage.serving.new_pins import NewPin

DEFAULT_K, MAX_K, MAX_EXCLUDED = 10, 1000, 10_000
TEXTS = ("pin_id", "title", "description", "link")
OTHERS = ("annotations", "image", "k", "exclude")

Row = Mapping[str, Any]


@dataclass(frozen=True)
class QueryRow:
    """One question: a pin that may be known, its content for the case that it is not, and the wishes for the answer."""

    pin_id: str
    content: NewPin
    k: int
    exclude: frozenset[str]

    @classmethod
    def read(cls, row: Row) -> "QueryRow":
        """The question in a row of a table; None, NaN and a column that is not there all mean "not given".

        Raises:
            InputError: a value is of another kind or out of bounds, or there is neither a pin_id nor content.
        """
        texts = {name: _text(name, row.get(name)) for name in TEXTS}
        pin_id, image = texts.pop("pin_id"), _image(row.get("image"))
        content = NewPin(**texts, annotations=_annotations(row.get("annotations")), image=image)
        if not pin_id and content.is_empty:
            raise InputError(
                "The row has no pin_id and no content. Give the pin_id of a known pin, or the words or the image of a "
                "new one."
            )
        return cls(pin_id, content, _k(row.get("k")), _exclude(row.get("exclude")))


def is_missing(value: object) -> bool:
    """True for what stands in a table where a row gives nothing: None, NaN and pandas' NA."""
    return value is None or type(value).__name__ == "NAType" or (isinstance(value, float) and math.isnan(value))


def _text(name: str, value: object) -> str:
    if is_missing(value):
        return ""
    if not isinstance(value, str):
        raise InputError(f"{name} is {_shown(value)}, not a text. Give a text, or leave it out.")
    return value


def _annotations(value: object) -> str | list[str]:
    return value if isinstance(value, str) else _texts("annotations", value)


def _exclude(value: object) -> frozenset[str]:
    pin_ids = frozenset([value] if isinstance(value, str) else _texts("exclude", value))
    if len(pin_ids) > MAX_EXCLUDED:
        raise InputError(f"exclude names {len(pin_ids):,} pins, but {MAX_EXCLUDED:,} at most can be. Name fewer.")
    return pin_ids


def _texts(name: str, value: object) -> list[str]:
    if is_missing(value):
        return []
    if not isinstance(value, list | tuple | np.ndarray):
        raise InputError(f"{name} is {_shown(value)}, not a list of texts. Give a list, or leave it out.")
    for each in value:
        if not isinstance(each, str):
            raise InputError(f"{name} holds {_shown(each)}, which is not a text. Give texts alone.")
    return list(value)


def _image(value: object) -> bytes | None:
    if is_missing(value):
        return None
    if isinstance(value, str):
        try:
            return base64.b64decode("".join(value.split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise InputError(f"The image is not in base64 ({error}). Encode the bytes of the file.") from None
    if not isinstance(value, bytes):
        raise InputError(f"The image is {_shown(value)}. Give the bytes of the file, in JSON as base64.")
    return value


def _k(value: object) -> int:
    if is_missing(value):
        return DEFAULT_K
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if is_number and 1 <= value <= MAX_K and value == int(value):  # type: ignore[operator,call-overload]
        return int(value)  # type: ignore[call-overload,no-any-return]
    raise InputError(f"k is {_shown(value)}, but 1 to {MAX_K} related pins can be asked for. Give another k.")


def _shown(value: object) -> str:
    return repr(value)[:40]
