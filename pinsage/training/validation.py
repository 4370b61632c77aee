"""The hit rate on validation pairs, looked at during training.

P pins, V validation pairs looked at, C candidates.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pinsage.batches.minibatch import Expander, FeatureRows
from pinsage.model.layerwise import CHUNK, embedded
from pinsage.model.network import PinSageNetwork, SubgraphTensors
from pinsage.pairs.pairs import Pairs

TOP = 10
MOST_PINS = 200_000  # a larger catalog is judged on a sample of candidates
NUM_CANDIDATES = 20_000
_QUERIES_AT_ONCE = 256
_STREAM = 2  # the stream of random numbers that hangs on the training seed


class Validator:
    """Scores a network on a fixed sample of validation pairs.

    In a catalog of at most MOST_PINS pins every pin is a candidate. In a larger one NUM_CANDIDATES pins, drawn once,
    and the pins of the pairs are: the figure is then higher than the true one, but ranks networks alike.
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
    ) -> None:
        rng = np.random.default_rng([seed, _STREAM])
        chosen = np.sort(rng.permutation(len(pairs))[:limit])
        query, positive = pairs.query[chosen], pairs.positive[chosen]
        self._rows, self._neighbors, self._weights = rows, neighbors, weights
        self._sample: NDArray[np.int32] | None = None
        if len(neighbors) > MOST_PINS:
            drawn = rng.integers(len(neighbors), size=NUM_CANDIDATES, dtype=np.int32)
            self._sample = np.unique(np.concatenate([query, positive, drawn]))
            query, positive = (np.searchsorted(self._sample, pins).astype(np.int32) for pins in (query, positive))
        self._query, self._positive = query, positive

    def __len__(self) -> int:
        return len(self._query)

    def hit_rate(self, network: PinSageNetwork) -> float:
        """The share of validation pairs whose positive is among the TOP pins nearest to its query."""
        with torch.inference_mode():
            embeddings = self._embeddings(network)
            ranks = rank_of_positives(embeddings, self._query, self._positive)
        return float((ranks < TOP).mean())

    def _embeddings(self, network: PinSageNetwork) -> Tensor:
        if self._sample is None:
            return embedded(network, self._rows, self._neighbors, self._weights)
        expander = Expander(self._neighbors, self._weights, num_layers=network.shape.num_layers)
        parts = np.split(self._sample, range(CHUNK, len(self._sample), CHUNK))
        return torch.cat([embedded_some(network, self._rows, expander, part) for part in parts])


def embedded_some(network: PinSageNetwork, rows: FeatureRows, expander: Expander, pins: NDArray[np.int32]) -> Tensor:
    """The embeddings of some distinct pins, from their sub-graph alone: float32 [n, d]."""
    subgraph, _ = expander.expand(pins)
    device = network.mean.device
    features = torch.from_numpy(rows(subgraph.nodes)).to(device)
    vectors: Tensor = network(features, SubgraphTensors.of(subgraph, device))
    return vectors


def rank_of_positives(embeddings: Tensor, query: NDArray[np.int32], positive: NDArray[np.int32]) -> NDArray[np.int64]:
    """How many pins, besides the query, score at least as high as the positive does: int64 [V].

    Equal scores count against the positive, so a network that maps all pins to one point scores nothing.

    Args:
        embeddings: float32 [C, d].
        query, positive: int32 [V], rows of `embeddings`.
    """
    ranks = []
    for first in range(0, len(query), _QUERIES_AT_ONCE):
        part = slice(first, first + _QUERIES_AT_ONCE)
        own = torch.from_numpy(query[part].astype(np.int64)).to(embeddings.device)[:, None]
        target = torch.from_numpy(positive[part].astype(np.int64)).to(embeddings.device)[:, None]
        scores = embeddings[own[:, 0]] @ embeddings.T  # [v, C]
        scores.scatter_(1, own, -torch.inf)
        # In place and as floats: counting booleans would first copy them to 64-bit integers. Exact below 2^24 pins.
        at_least = scores.ge_(scores.gather(1, target)).sum(dim=1)
        ranks.append(at_least.long().cpu().numpy() - 1)  # the positive itself is one of them
    return np.concatenate(ranks) if ranks else np.empty(0, np.int64)
