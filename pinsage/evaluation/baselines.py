"""PinSage and the methods it is compared with, each as a way of scoring all pins for a query.

A new method is a function from Evidence to a scorer (or None where its evidence is missing) and a line in METHODS.

Letters: P pins, D width of a vector, n queries.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pinsage.errors import InputError
from pinsage.evaluation.ranking import UNRANKED, Scorer
from pinsage.features.matrix import FeatureMatrix
from pinsage.graph.csr import BipartiteGraph
from pinsage.inference import embed_all
from pinsage.pairs.pairs import Pairs
from pinsage.settings import EvaluateSettings, ModelSettings, TrainSettings
from pinsage.training.data import TrainingData
from pinsage.training.loop import fit
from pinsage.walks.hops import HopTables
from pinsage.walks.random_walk import WalkPlan, top_visited

PIXIE_DEPTH = 1000  # pins kept per query; hit rates look no further than the first few hundred
PIXIE_MAX_HOPS = 4
PIXIE_RESTART = 0.5


@dataclass(frozen=True)
class Evidence:
    """What the methods may know: content, the training graph, the training pairs, and PinSage's embeddings."""

    embeddings: NDArray[np.float32]
    features: FeatureMatrix
    graph: BipartiteGraph
    train: Pairs
    validation: Pairs


@dataclass(frozen=True)
class Plan:
    """How the methods are made: the settings they share with PinSage, and a folder for checkpoints."""

    model: ModelSettings
    train: TrainSettings
    evaluate: EvaluateSettings
    scratch: Path | None = None


class Similarity:
    """Cosine similarity of vectors. A pin whose vector is zero ranks last, and ranks nothing as a query."""

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        """Take float32 [P, D], which is not copied.

        Raises:
            InputError: a vector holds NaN or an infinite number, which would rank first everywhere.
        """
        self._vectors, self.num_pins = vectors, len(vectors)
        lengths = np.sqrt(np.einsum("pd,pd->p", vectors, vectors))
        if not np.isfinite(lengths).all():
            bad = int(np.flatnonzero(~np.isfinite(lengths))[0])
            raise InputError(f"The vector of pin {bad} is not finite. Make the features or the embeddings again.")
        self._is_empty = lengths == 0
        self._scale = (1 / np.where(self._is_empty, 1, lengths)).astype(np.float32)

    def scores(self, queries: NDArray[np.int32]) -> NDArray[np.float32]:
        """Cosines, float32 [n, P]."""
        scaled = self._vectors[queries] * self._scale[queries, None]
        scores: NDArray[np.float32] = np.dot(scaled, self._vectors.T)  # [n, P]
        scores *= self._scale
        scores[:, self._is_empty] = UNRANKED
        scores[self._is_empty[queries]] = UNRANKED
        return scores


class Visits:
    """Shares of the visits of random walks from the query; pins not visited tie at the end."""

    def __init__(self, graph: BipartiteGraph, plan: WalkPlan) -> None:
        self._hops, self._plan, self.num_pins = HopTables.of(graph), plan, graph.num_pins

    def scores(self, queries: NDArray[np.int32]) -> NDArray[np.float32]:
        """Shares of visits, float32 [n, P]."""
        depth = min(PIXIE_DEPTH, self.num_pins)
        visited, shares = top_visited(self._hops, queries, self._plan, top=depth)
        scores = np.full((len(queries), self.num_pins), UNRANKED, np.float32)
        rows, places = np.nonzero(visited >= 0)
        scores[rows, visited[rows, places]] = shares[rows, places]
        return scores


class Popularity:
    """The number of boards a pin was saved to, the same for every query."""

    def __init__(self, pin_degrees: NDArray[np.int64]) -> None:
        self._degrees, self.num_pins = pin_degrees.astype(np.float32), len(pin_degrees)

    def scores(self, queries: NDArray[np.int32]) -> NDArray[np.float32]:
        """Numbers of boards, float32 [n, P]."""
        return np.tile(self._degrees, (len(queries), 1))


def pinsage(evidence: Evidence, plan: Plan) -> Scorer:
    """The method under test: cosine similarity of the embeddings."""
    return Similarity(evidence.embeddings)


def combined(evidence: Evidence, plan: Plan) -> Scorer | None:
    """The dense head alone, trained on pictures and words with PinSage's loss and pairs; None without either.

    Differs from the paper: a data set with only pictures or only words gets its Combined from that one.

    Source: PinSage §4.2.
    """
    kept = [name for name in ("visual", "text") if _has(evidence.features, name)]
    if not kept:
        return None
    features = evidence.features.only(*kept, *(FLAGS[name] for name in kept))
    data = TrainingData(features, None, None, evidence.train, evidence.validation)
    model = plan.model.model_copy(update={"num_layers": 0, "id_embedding": "never"})
    train = plan.train.model_copy(update={"steps": plan.evaluate.combined_steps, "max_hard_negatives": 0})
    scratch = plan.scratch / "combined" if plan.scratch else None
    return Similarity(embed_all(fit(data, model, train, scratch=scratch).network, features, None))


def visual(evidence: Evidence, plan: Plan) -> Scorer | None:
    """Cosine similarity of the pictures; None where there are none.

    Source: PinSage §4.2.
    """
    return _content(evidence.features, "visual")


def annotation(evidence: Evidence, plan: Plan) -> Scorer | None:
    """Cosine similarity of the words; None where there are none.

    Source: PinSage §4.2.
    """
    return _content(evidence.features, "text")


def pixie(evidence: Evidence, plan: Plan) -> Scorer:
    """Visit counts of random walks on the training graph, without learning.

    Source: PinSage §4.2; Eksombatchai et al., WWW 2018.
    """
    walks, seed = plan.evaluate.pixie_walks, plan.evaluate.seed
    return Visits(evidence.graph, WalkPlan(walks, PIXIE_MAX_HOPS, PIXIE_RESTART, seed))


def popularity(evidence: Evidence, plan: Plan) -> Scorer:
    """The pins on the most boards. Not in the paper: the floor that every method should be above."""
    return Popularity(evidence.graph.pin_degrees)


FLAGS = {"visual": "has_picture", "text": "has_text"}
METHODS: dict[str, Callable[[Evidence, Plan], Scorer | None]] = {
    "pinsage": pinsage,
    "combined": combined,
    "visual": visual,
    "annotation": annotation,
    "pixie": pixie,
    "popularity": popularity,
}


def scorers(evidence: Evidence, plan: Plan) -> dict[str, Scorer]:
    """Every method that the evidence allows, by name, in the order of METHODS."""
    made = {name: make(evidence, plan) for name, make in METHODS.items()}
    return {name: scorer for name, scorer in made.items() if scorer is not None}


def _has(features: FeatureMatrix, name: str) -> bool:
    return bool(features.block(FLAGS[name]).any())


def _content(features: FeatureMatrix, name: str) -> Scorer | None:
    return Similarity(features.block(name)) if _has(features, name) else None
