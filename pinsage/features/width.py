"""The width of a pin's vectors where the settings leave it to the data."""

from typing import Final, Literal

MOST_NUMBERS: Final = 1 << 28  # in a vector for every pin: 1 GiB of float32
_WIDTHS: Final = (256, 128)  # wider ones gained next to nothing (docs/decisions/0014)


def vector_width(chosen: int | Literal["auto"], num_pins: int) -> int:
    """Return the width chosen, or 256, or 128 where the vectors of all pins would not fit into 1 GiB."""
    if chosen != "auto":
        return chosen
    return next((width for width in _WIDTHS if num_pins * width <= MOST_NUMBERS), _WIDTHS[-1])
