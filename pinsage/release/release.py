"""A release, opened: related pins with filters and diversity, by the index or by an exact scan.

Letters: P pins, d embedding size, k pins asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pinsage.catalog.ids import PinIds
from pinsage.errors import InputError
from pinsage.index.exact import ExactScan
from pinsage.index.header import HEADER
from pinsage.index.pin_index import PinIndex
from pinsage.index.query import Neighbors, best_without
from pinsage.release.contents import ANNOY, BOARDS, EMBEDDINGS, PINS, POPULARITY
from pinsage.release.diversity import SCORES_ALONE, Diversity, diverse
from pinsage.release.filters import NO_FILTERS, NO_PINS, Boards, Filters, Pins
from pinsage.release.verification import read_pins, verify_manifest
from pinsage.serving.new_pins import FILES as NEW_PIN_FILES
from pinsage.serving.new_pins import NewPin, NewPinEncoder
from pinsage.store.arrays import open_array
from pinsage.store.manifest import Facts

SERVED = (HEADER, PINS, BOARDS, EMBEDDINGS, POPULARITY)  # and the index, which checks itself when it is opened


@dataclass(frozen=True)
class Answer:
    """Related pins by falling score (or in the order of diversity), and the version that found them."""

    version: str
    pin_ids: list[str]
    scores: list[float]


class Release:
    """One version, mapped read-only. What it answers never changes, so it may be asked from many threads."""

    def __init__(self, version: str, facts: Facts, folder: Path) -> None:
        """Open the files of a verified folder; use `open`."""
        num_pins, dim = int(facts["pins"] or 0), int(facts["dim"] or 0)
        self.version, self.facts = version, facts
        self.pin_ids = PinIds(read_pins(folder)["pin_id"].combine_chunks())
        self._embeddings = open_array(folder / EMBEDDINGS, np.float32, (num_pins, dim))
        popularity = open_array(folder / POPULARITY, np.float32, (num_pins,))
        index = PinIndex.open(folder)
        self._search: PinIndex | ExactScan
        self._search = index if facts["search"] == ANNOY else ExactScan(self._embeddings, popularity)
        self._folder = folder

    @classmethod
    def open(cls, folder: Path, version: str) -> "Release":
        """The release `version` in a folder, after its files were verified.

        Raises:
            ArtifactDamagedError: a file is missing or is not what was published.
        """
        manifest = verify_manifest(folder, version, SERVED)
        return cls(version, manifest.facts, folder)

    def related(
        self, pin_id: str, k: int = 10, *, filters: Filters = NO_FILTERS, diversity: Diversity = SCORES_ALONE
    ) -> Answer:
        """The pins that go best with a pin, without itself; fewer than k where the filters leave fewer.

        Raises:
            UnknownPinError: the release has no such pin; the message names ids that look alike.
            InputError: k is below 1.
        """
        pin = self.pin_ids.row(pin_id)
        beside = self._boards.pins_beside(pin) if filters.same_board else NO_PINS
        excluded = np.union1d(self._pins_left_out(filters), beside)
        return self._answer(
            lambda count: self._search.related(pin, count), self._embeddings[pin], k, excluded, diversity
        )

    def related_to_vector(
        self,
        vector: NDArray[np.float32],
        k: int = 10,
        *,
        filters: Filters = NO_FILTERS,
        diversity: Diversity = SCORES_ALONE,
    ) -> Answer:
        """The pins that go best with an embedding from outside: float32 [d], not zero; its length does not matter.

        Raises:
            InputError: the vector has another size, is zero or holds NaN, or k is below 1.
        """
        unit = vector / max(float(np.linalg.norm(vector)), 1e-30)
        return self._answer(
            lambda count: self._search.related_to_vector(vector, count),
            unit,
            k,
            self._pins_left_out(filters),
            diversity,
        )

    def related_to_new_pin(
        self, pin: NewPin, k: int = 10, *, filters: Filters = NO_FILTERS, diversity: Diversity = SCORES_ALONE
    ) -> Answer:
        """The pins that go best with a pin that the release does not hold, by its words and its picture.

        Raises:
            InputError: the picture cannot be read, nothing is known of the pin, or k is below 1.
            ArtifactDamagedError: the model or the words are not what was published.
        """
        return self.related_to_vector(self.embed_new_pin(pin), k, filters=filters, diversity=diversity)

    def embed_new_pin(self, pin: NewPin) -> NDArray[np.float32]:
        """The embedding that a pin would have after a refresh in which nobody has saved it: float32 [d], unit length.

        Raises:
            InputError, ArtifactDamagedError: as `related_to_new_pin`.
        """
        return self._new_pins.embed(pin)

    def _pins_left_out(self, filters: Filters) -> Pins:
        on_boards = self._boards.pins_on(filters.boards) if filters.boards else NO_PINS
        return np.union1d(self.pin_ids.known_pins(filters.pins), on_boards)

    def _answer(
        self,
        search: Callable[[int], Neighbors],
        query: NDArray[np.float32],
        k: int,
        excluded: Pins,
        diversity: Diversity,
    ) -> Answer:
        if k < 1:
            raise InputError(f"{k} related pins cannot be given. Ask for at least 1.")
        wanted = k * diversity.pool if diversity.is_wanted else k
        pins, scores = best_without(excluded, search, wanted, num_pins=self._search.num_pins)
        if diversity.is_wanted:
            places = diverse(scores, self._embeddings[pins], query, k, diversity)
            pins, scores = pins[places], scores[places]
        return Answer(self.version, self.pin_ids.pin_ids(pins), scores.tolist())

    @cached_property
    def _boards(self) -> Boards:
        return Boards.read(self._folder / BOARDS)

    @cached_property
    def _new_pins(self) -> NewPinEncoder:
        """Opened for the first new pin: whoever asks with known pins alone need not wait for the model's checksum."""
        verify_manifest(self._folder, self.version, NEW_PIN_FILES)
        dim, digest = int(self.facts["dim"] or 0), str(self.facts.get("picture_digest", ""))
        return NewPinEncoder.open(self._folder, dim=dim, picture_digest=digest)
