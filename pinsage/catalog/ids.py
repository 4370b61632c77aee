"""The one place where an owner's `pin_id` becomes our row number `pin`, and back."""

import difflib
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pinsage.errors import UnknownPinError

NEAR_IN_ORDER = 200
SAMPLED = 2000
SUGGESTIONS = 3


class PinIds:
    """The pin_ids of a catalog, ascending; the place of an id is its pin."""

    def __init__(self, ids: pa.Array) -> None:
        self._ids = ids

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def array(self) -> pa.Array:
        """All ids, ascending by their UTF-8 bytes: strings [P]."""
        return self._ids

    def pin_id(self, row: int) -> str:
        """The id of a pin."""
        if not 0 <= row < len(self):
            raise UnknownPinError(f"There is no pin {row}; this catalog has pins 0 to {len(self) - 1}.")
        return str(self._ids[row].as_py())

    def pin_ids(self, pins: NDArray[np.integer]) -> list[str]:
        """The ids of pins, in the same order."""
        return list(self._ids.take(pa.array(pins)).to_pylist())

    def row(self, pin_id: str) -> int:
        """The pin of an id.

        Raises:
            UnknownPinError: the catalog does not hold it; the message names ids that look alike.
        """
        found = self.find(pin_id)
        if found is None:
            raise UnknownPinError(self._sentence(pin_id, self._place(pin_id)))
        return found

    def find(self, pin_id: str) -> int | None:
        """The pin of an id; None if the catalog does not hold it."""
        place = self._place(pin_id)
        return place if place < len(self) and self.pin_id(place) == pin_id else None

    def known_pins(self, pin_ids: Iterable[str]) -> NDArray[np.int32]:
        """The pins of those ids that the catalog holds, in the order of the ids."""
        return np.array([row for row in map(self.find, pin_ids) if row is not None], np.int32)

    def _place(self, pin_id: str) -> int:
        """The place of an id among the ascending ids, or the one it would take: Arrow sorts by UTF-8 bytes."""
        wanted, low, high = _utf8(pin_id), 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self._ids[middle].as_buffer().to_pybytes() < wanted:
                low = middle + 1
            else:
                high = middle
        return low

    def _sentence(self, pin_id: str, place: int) -> str:
        shown = ascii(pin_id if len(pin_id) <= 100 else f"{pin_id[:100]}…")
        near = ", ".join(ascii(known) for known in self._near(pin_id[:100], place))
        advice = f"Did you mean {near}?" if near else "Check that it is an id of this data set."
        return f"No pin has the pin_id {shown} ({len(self):,} pins are known). {advice}"

    def _near(self, pin_id: str, place: int) -> list[str]:
        """Look-alikes among the neighbors in order and an even sample of all; those with the same beginning first."""
        around = np.arange(max(0, place - NEAR_IN_ORDER), min(len(self), place + NEAR_IN_ORDER))
        sample = np.linspace(0, len(self) - 1, min(SAMPLED, len(self))).astype(np.int64)
        places = np.union1d(around, sample)
        known = self.pin_ids(places)
        alike = difflib.get_close_matches(pin_id, known, n=10 * SUGGESTIONS)
        return sorted(alike, key=lambda known: -_prefix_length(known, pin_id))[:SUGGESTIONS]


def rows_among(ids: pa.Array | pa.ChunkedArray, known: pa.Array | pa.ChunkedArray) -> NDArray[np.int32]:
    """The row of each id among the ids of another catalog, of pins or of boards; -1 where that has no such id.

    Args:
        ids: strings [n].
        known: strings [m], each once.

    Returns:
        int32 [n].
    """
    places = pc.index_in(ids, value_set=known)
    return np.asarray(pc.fill_null(places, -1)).astype(np.int32, copy=False)


def _prefix_length(one: str, other: str) -> int:
    return next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", errors="surrogatepass")
