"""A candidate for release, asked as the release would be: the gate compares its answers with those of today."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pinsage.catalog.catalog import Catalog
from pinsage.index.exact import EXACT_SCAN_PINS, ExactScan
from pinsage.index.pin_index import PinIndex
from pinsage.release.contents import EMBEDDINGS, POPULARITY
from pinsage.release.release import Answer
from pinsage.store.arrays import open_array


class Candidate:
    """The catalog, the embeddings and the index of a run, opened read-only; it answers as the release of them does."""

    def __init__(self, inputs: Mapping[str, Path]) -> None:
        """Open the artifacts of ingest, embed and index.

        Raises:
            ArtifactDamagedError: a file is missing or is not what was written.
        """
        self.pin_ids = Catalog.open(inputs["ingest"]).pin_ids
        num_pins = len(self.pin_ids)
        self._search: PinIndex | ExactScan
        # As a release of these pins would be searched: the gate compares what people would see.
        if num_pins < EXACT_SCAN_PINS:
            embeddings = open_array(inputs["embed"] / EMBEDDINGS, np.float32, (num_pins, None))
            self._search = ExactScan(embeddings, open_array(inputs["embed"] / POPULARITY, np.float32, (num_pins,)))
        else:
            self._search = PinIndex.open(inputs["index"])

    def related(self, pin_id: str, k: int = 10) -> Answer:
        """The pins that go best with a pin, without itself.

        Raises:
            UnknownPinError: the catalog has no such pin.
        """
        pins, scores = self._search.related(self.pin_ids.row(pin_id), k)
        return Answer("", self.pin_ids.pin_ids(pins), scores.tolist())
