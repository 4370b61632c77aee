"""Related pins by two models side by side: those of a run, and those of the release that it would replace.

Letters: P pins, Q pins that are asked for, K pins of a list, d embedding size.
"""

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pinsage.catalog.ids import rows_among
from pinsage.evaluation.baselines.similarity import Similarity
from pinsage.evaluation.ranking import top
from pinsage.index.exact import EXACT_SCAN_PINS
from pinsage.index.pin_index import PinIndex
from pinsage.release.contents import EMBEDDINGS, POPULARITY
from pinsage.release.difference import DEPTH
from pinsage.release.verification import read_pins
from pinsage.report.explorer.agreement import common_pins, rank_biased_overlap
from pinsage.store.arrays import open_array


@dataclass(frozen=True)
class Model:
    """One model's answers: pin_ids [P], embeddings float32 [P, d], popularity float32 [P], and the index's folder."""

    pin_ids: pa.Array
    embeddings: NDArray[np.float32]
    popularity: NDArray[np.float32]
    index: Path

    @classmethod
    def open(cls, pin_ids: pa.Array, embeddings: Path, index: Path) -> "Model":
        """The model whose arrays and index lie in two folders.

        Raises:
            ArtifactDamagedError: a file is missing or is not what was written.
        """
        vectors = open_array(embeddings / EMBEDDINGS, np.float32, (len(pin_ids), None))
        return cls(pin_ids, vectors, open_array(embeddings / POPULARITY, np.float32, (len(pin_ids),)), index)

    def related(self, pins: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The K best pins of each pin as a release would give them, int32 [Q, K], padded with -1, and their scores."""
        if len(self.pin_ids) < EXACT_SCAN_PINS:
            return top(Similarity(self.embeddings, self.popularity), pins, DEPTH)
        index = PinIndex.open(self.index)
        found = np.full((len(pins), DEPTH), -1, np.int32)
        scores = np.zeros((len(pins), DEPTH), np.float32)
        for row, pin in enumerate(pins.tolist()):
            others, theirs = index.related(pin, DEPTH)
            found[row, : len(others)], scores[row, : len(others)] = others, theirs
        return found, scores


@dataclass(frozen=True)
class Champion:
    """The release that a run would replace: its version, its model and its titles [P]."""

    version: str
    model: Model
    titles: pa.Array

    @classmethod
    def open(cls, version: str, folder: Path) -> "Champion":
        """The champion in the folder of a verified release."""
        pins = read_pins(folder)
        ids, titles = (pins[name].combine_chunks() for name in ("pin_id", "title"))
        return cls(version, Model.open(ids, folder, folder), titles)


@dataclass(frozen=True)
class Lists:
    """Lists of some pins by one model or two, those that changed most first.

    A pin is named by its row in the run's catalog; one that only the champion knows by P plus its row there.

    Attributes:
        pins: int32 [Q].
        ours, theirs: int64 [Q, K], padded with -1; theirs are empty for a pin that the champion does not know.
        our_scores, their_scores: float32 [Q, K].
        kept: int64 [Q], pins that both lists have; -1 for a pin that the champion does not know.
        rbo: float64 [Q], rank-biased overlap; -1 as above.
    """

    pins: NDArray[np.int32]
    ours: NDArray[np.int64]
    our_scores: NDArray[np.float32]
    theirs: NDArray[np.int64]
    their_scores: NDArray[np.float32]
    kept: NDArray[np.int64]
    rbo: NDArray[np.float64]

    @property
    def is_compared(self) -> NDArray[np.bool_]:
        """True for pins that the champion knows, too: bool [Q]."""
        return self.kept >= 0

    def in_order(self, degrees: NDArray[np.int64]) -> "Lists":
        """The pins by falling disagreement, of equals those with more saves first; unknown to the champion last."""
        order = np.lexsort((-degrees[self.pins], self.rbo, ~self.is_compared))
        return Lists(*(values[order] for values in vars(self).values()))


def compare_lists(model: Model, champion: Model | None, pins: NDArray[np.int32]) -> Lists:
    """The lists of some pins by a run's model and by the champion, in the order of `pins`.

    Args:
        model: of the run.
        champion: None where nothing has been released, or nothing of these pins.
        pins: int32 [Q], rows of the run's catalog.
    """
    found, our_scores = model.related(pins)
    ours = found.astype(np.int64)
    theirs, their_scores = np.full_like(ours, -1), np.zeros_like(our_scores)
    is_known = np.zeros(len(pins), np.bool_)
    if champion is not None:
        rows = rows_among(model.pin_ids.take(pa.array(pins)), champion.pin_ids)  # [Q]
        is_known = rows >= 0
        answers, their_scores[is_known] = champion.related(rows[is_known])
        theirs[is_known] = _rows_here(answers, model, champion)
    kept = np.where(is_known, common_pins(ours, theirs)[:, -1], -1)
    rbo = np.where(is_known, rank_biased_overlap(ours, theirs), -1.0)
    return Lists(pins, ours, our_scores, theirs, their_scores, kept, rbo)


def sample_pins(pin_ids: pa.Array, most: int) -> NDArray[np.int32]:
    """At most so many pins, int32, ascending, those whose pin_id has the least CRC-32: the same pins day after day."""
    if len(pin_ids) <= most:
        return np.arange(len(pin_ids), dtype=np.int32)
    hashes = np.fromiter((zlib.crc32(pin_id.encode()) for pin_id in pin_ids.to_pylist()), np.uint32, len(pin_ids))
    return np.sort(np.argsort(hashes, kind="stable")[:most]).astype(np.int32)


def _rows_here(answers: NDArray[np.int32], model: Model, champion: Model) -> NDArray[np.int64]:
    """The champion's rows as rows of the run's catalog, or P + row for pins that this lacks; padding stays -1."""
    shown = np.unique(answers[answers >= 0])
    here = rows_among(champion.pin_ids.take(pa.array(shown)), model.pin_ids).astype(np.int64)
    names = np.where(here >= 0, here, len(model.pin_ids) + shown.astype(np.int64))
    if not len(shown):
        return answers.astype(np.int64)
    return np.where(answers >= 0, names[np.searchsorted(shown, answers).clip(max=len(shown) - 1)], -1)
