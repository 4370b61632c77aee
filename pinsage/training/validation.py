"""The hit rate on validation pairs, looked at during training, and the ranks of positives among candidates.

P pins, V validation pairs looked at, C candidates, G strengths of popularity.
"""

from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from pinsage.batches.minibatch import FeatureRows, NeighborSampler
from pinsage.model.layerwise import CHUNK, embed_layerwise
from pinsage.model.network import PinSageNetwork, SubgraphTensors
from pinsage.model.popularity import popularity_term
from pinsage.pairs.pairs import Pairs

TOP = 10
MOST_PINS = 200_000  # a larger catalog is judged on a sample of candidates
NUM_CANDIDATES = 20_000
STRENGTHS = (0.0, 0.02, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3)  # of popularity, among which a look chooses
FINE_STRENGTHS = (*(step / 100 for step in range(16)), 0.17, 0.2, 0.25, 0.3)  # those of the choice at the end
_QUERIES_AT_ONCE = 64  # whose scores mostly stay in the cache until they have been counted
_STREAM = 2  # the stream of random numbers that hangs on the training seed
_BLOCK = 512  # candidates between two looks at whether the place is known to be bad enough


class Validator:
    """A score of a network on a fixed sample of validation pairs.

    In a catalog of at most MOST_PINS pins every pin is a candidate. In a larger one NUM_CANDIDATES pins, drawn once,
    and the pins of the pairs are: the figure is then higher than the true one, but ranks networks alike.

    Attributes:
        strengths: of popularity, each of which a look tries.
    """

    def __init__(
        self,
        pairs: Pairs,
        rows: FeatureRows,
        *,
        neighbors: NDArray[np.int32],
        weights: NDArray[np.float32],
        limit: int,
        seed: int,
        log_degree: NDArray[np.float32] | None = None,
        strengths: tuple[float, ...] = STRENGTHS,
    ) -> None:
        """Choose at most `limit` of the pairs. Without `log_degree`, float32 [P], popularity has no say."""
        rng = np.random.default_rng([seed, _STREAM])
        # Sorted, so that the pins are gathered in the order in which they lie.
        chosen = np.sort(rng.permutation(len(pairs))[:limit])
        query, positive = pairs.query[chosen], pairs.positive[chosen]
        self._rows, self._neighbors, self._weights = rows, neighbors, weights
        self._sample: NDArray[np.int32] | None = None
        if len(neighbors) > MOST_PINS:
            # Drawn once: looks are compared with each other, so all of them see the same candidates.
            drawn = rng.integers(len(neighbors), size=NUM_CANDIDATES, dtype=np.int32)
            self._sample = np.unique(np.concatenate([query, positive, drawn]))
            query, positive = (np.searchsorted(self._sample, pins).astype(np.int32) for pins in (query, positive))
        self._query, self._positive = query, positive
        of_all = np.zeros(len(neighbors), np.float32) if log_degree is None else log_degree
        self._log_degree = of_all if self._sample is None else of_all[self._sample]  # [C]
        self.strengths = (0.0,) if log_degree is None else strengths

    def __len__(self) -> int:
        return len(self._query)

    def best_hit_rate(self, network: PinSageNetwork) -> tuple[float, float]:
        """The share of validation pairs whose positive is among the TOP candidates of its query, and the strength.

        A candidate scores its cosine plus its popularity, at the strength that gives the highest share.
        """
        terms = np.stack([popularity_term(strength, self._log_degree) for strength in self.strengths])  # [G, C]
        with torch.inference_mode():
            found = rank_positives(self._embeddings(network), self._query, self._positive, terms=terms, enough=TOP)
        rates = (found < TOP).mean(axis=1)
        best = int(rates.argmax())
        return float(rates[best]), self.strengths[best]

    def _embeddings(self, network: PinSageNetwork) -> Tensor:
        if self._sample is None:
            return embed_layerwise(network, self._rows, self._neighbors, self._weights)
        sampler = NeighborSampler(self._neighbors, self._weights, num_layers=network.shape.num_layers)
        parts = np.split(self._sample, range(CHUNK, len(self._sample), CHUNK))
        return torch.cat([embed_pins(network, self._rows, sampler, part) for part in parts])


def embed_pins(network: PinSageNetwork, rows: FeatureRows, sampler: NeighborSampler, pins: NDArray[np.int32]) -> Tensor:
    """The embeddings of some distinct pins, from their sub-graph alone: float32 [n, d]."""
    subgraph, _ = sampler.sample(pins)
    device = network.mean.device
    features = torch.from_numpy(rows(subgraph.nodes)).to(device)  # [n_K, D]
    vectors: Tensor = network(features, SubgraphTensors.of(subgraph, device))
    return vectors


def rank_positives(
    embeddings: Tensor,
    query: NDArray[np.int32],
    positive: NDArray[np.int32],
    *,
    terms: NDArray[np.float32],
    enough: int,
) -> NDArray[np.float64]:
    """The number of pins, besides the query, that score higher than the positive does: float64 [G, V].

    Of the other pins that score the same half count, so that a network which maps all pins to one point is as good as
    chance.

    Args:
        embeddings: float32 [C, d].
        query, positive: int32 [V], rows of `embeddings`.
        terms: float32 [G, C], each added to the scores in turn.
        enough: see `ranks`.
    """
    found = [np.empty((len(terms), 0))]
    for first in range(0, len(query), _QUERIES_AT_ONCE):
        part = slice(first, first + _QUERIES_AT_ONCE)
        own = torch.from_numpy(query[part].astype(np.int64)).to(embeddings.device)  # [v]
        scores = embeddings[own] @ embeddings.T  # [v, C]
        # A query would always find itself first.
        scores.scatter_(1, own[:, None], -torch.inf)
        found.append(ranks(scores.cpu().numpy(), terms, positive[part], enough))
    return np.concatenate(found, axis=1)


@njit(nogil=True, cache=True)
def ranks(scores: NDArray[np.float32], terms: NDArray[np.float32], positive: NDArray[np.int32], enough: int) -> Any:
    """The candidates that score higher than the positive, and half of the others that score the same: float64 [G, V].

    Where at least `enough` candidates score higher, the rank is some number from `enough` on. A score that is no number
    counts as higher, so that a broken network has no hits.

    Args:
        scores: float32 [V, C]; -inf for who is no candidate.
        terms: float32 [G, C], each added to every row of scores.
        positive: int32 [V], the column of each positive.
        enough: a rank that is no hit.
    """
    found = np.empty((len(terms), len(scores)))  # [G, V]
    for row in range(len(scores)):
        for index in range(len(terms)):
            found[index, row] = _rank(scores[row], terms[index], positive[row], enough)
    return found


@njit(nogil=True, cache=True)
def _rank(scores: NDArray[np.float32], term: NDArray[np.float32], positive: int, enough: int) -> float:
    # Not sorted, and not even the higher ones counted: comparisons that are false for NaN leave it among the higher.
    target, not_higher, same = scores[positive] + term[positive], 0, 0
    for first in range(0, len(scores), _BLOCK):
        last = min(first + _BLOCK, len(scores))
        for pin in range(first, last):
            score = scores[pin] + term[pin]
            not_higher += score <= target
            same += score == target
        if last - not_higher >= enough:  # most positives are far down, and the first blocks show it
            return float(last - not_higher)
    return float(len(scores) - not_higher) + max(same - 1, 0) / 2  # the positive is one of those that score the same
