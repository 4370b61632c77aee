"""The pictures of the pins that the explorer shows first; the others have their titles."""

from collections.abc import Iterator
from itertools import chain, islice, zip_longest

import numpy as np
from numpy.typing import NDArray

from pinsage.catalog.catalog import Catalog
from pinsage.report.explorer.lists import Lists
from pinsage.report.explorer.shown import ShownPins
from pinsage.report.thumbnails import Size, thumbnail

TILE = Size(84, 105, 2200)
LISTED = 60  # pins that the page's list begins with


def first_pictures(lists: Lists, shown: ShownPins, catalog: Catalog, popular_from: int, most: int) -> dict[int, str]:
    """Thumbnails (`data:` URIs) by place among the pins shown, of at most so many pins.

    First come the pins that the page's list begins with under each of its filters, then the lists of the first pin of
    each filter, of the second one of each, …

    Args:
        lists: in the page's order.
        shown: the pins on the page.
        catalog: of the run; a pin that only the champion knows has no picture.
        popular_from: saves that make a pin a popular one.
        most: 0 or more.
    """
    pins = np.fromiter(islice(_in_order(lists, shown, catalog.num_pins, popular_from), most), np.int32)
    pictures = catalog.pictures_of(pins) if len(pins) else {}
    drawn = {pin: thumbnail(picture, TILE) for pin, picture in sorted(pictures.items())}
    places = shown.places(np.array(list(drawn), np.int64))
    return {place: uri for place, uri in zip(places.tolist(), drawn.values(), strict=True) if uri}


def _in_order(lists: Lists, shown: ShownPins, num_pins: int, popular_from: int) -> Iterator[int]:
    """The pins of the catalog in the order in which they are shown, each once."""
    degrees = shown.degrees[shown.places(lists.pins)]
    filters = [
        np.arange(len(degrees)),
        *map(np.flatnonzero, (degrees == 0, degrees >= popular_from, ~lists.is_compared)),
    ]
    rounds = [[int(row) for row in rows if row is not None] for rows in zip_longest(*filters)]
    listed = (lists.pins[row] for rows in rounds[:LISTED] for row in rows)
    named = (pin for rows in rounds for row in rows for pin in _named(lists, row))
    seen: set[int] = set()
    for pin in map(int, chain(listed, named)):
        if 0 <= pin < num_pins and pin not in seen:
            seen.add(pin)
            yield pin


def _named(lists: Lists, row: int) -> NDArray[np.int64]:
    return np.concatenate([lists.pins[row : row + 1], lists.ours[row], lists.theirs[row]])
