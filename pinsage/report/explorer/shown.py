"""The pins on the explorer's page: those with lists, and those that the lists name.

Letters: P pins of the run's catalog, N pins on the page.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pinsage.catalog.catalog import Catalog
from pinsage.report.explorer.lists import Champion, Lists

REMOVED = -1  # the degree of a pin that only the champion knows


@dataclass(frozen=True)
class ShownPins:
    """The pins on the page.

    Attributes:
        rows: int64 [N], ascending; named as in `Lists`.
        pin_ids, titles: [N].
        degrees: int32 [N], training saves; REMOVED for a pin that only the champion knows.
    """

    rows: NDArray[np.int64]
    pin_ids: list[str]
    titles: list[str]
    degrees: NDArray[np.int32]

    def places(self, pins: NDArray[np.integer]) -> NDArray[np.int32]:
        """The place of pins among those on the page, int32 of the same shape; -1 for padding and for others."""
        if not len(self.rows):
            return np.full(pins.shape, -1, np.int32)
        places = np.searchsorted(self.rows, pins).clip(max=len(self.rows) - 1)
        return np.where(self.rows[places] == pins, places, -1).astype(np.int32)


def shown_pins(lists: Lists, catalog: Catalog, champion: Champion | None, degrees: NDArray[np.int64]) -> ShownPins:
    """All pins that some lists are of, or name.

    Args:
        lists: of the pins.
        catalog: of the run.
        champion: has the names of the pins that the catalog lacks.
        degrees: int64 [P].
    """
    named = np.unique(np.concatenate([lists.pins, lists.ours.ravel(), lists.theirs.ravel()]))
    rows = named[named >= 0].astype(np.int64)
    ours, others = np.split(rows, [np.searchsorted(rows, catalog.num_pins)])
    pin_ids, titles = catalog.pin_ids.pin_ids(ours), catalog.titles(ours.astype(np.int32))
    if champion is not None and len(others):
        gone = pa.array(others - catalog.num_pins)
        pin_ids += champion.model.pin_ids.take(gone).to_pylist()
        titles += champion.titles.take(gone).to_pylist()
    known = degrees[ours].astype(np.int32)
    return ShownPins(rows, pin_ids, titles, np.concatenate([known, np.full(len(others), REMOVED, np.int32)]))
