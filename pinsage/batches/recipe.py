"""Which pairs and negatives make the minibatch of a step: a function of the seed and the step alone.

N pairs, B pairs in a minibatch, S shared negatives, h hard negatives per query, P pins.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pinsage.batches.minibatch import Expander, FeatureRows, Minibatch
from pinsage.batches.negatives import accidental_mask, hard_negatives, shared_negatives
from pinsage.pairs.pairs import Pairs

Pins = NDArray[np.int32]
_ORDER, _NEGATIVES = 0, 1  # the streams of random numbers that hang on one seed


@dataclass(frozen=True)
class BatchSettings:
    """Sizes and seed of the minibatches; `hard_negatives_at` gives h for a step (the curriculum)."""

    batch_size: int
    num_negatives: int
    seed: int
    hard_negatives_at: Callable[[int], int]


@dataclass(frozen=True)
class Share:
    """Part `rank` of `num_ranks` equal parts of every minibatch; by default the whole."""

    rank: int = 0
    num_ranks: int = 1

    def pairs(self, batch_size: int) -> slice:
        """The pairs of this part, of `batch_size`, a multiple of the number of parts."""
        count = batch_size // self.num_ranks
        return slice(self.rank * count, (self.rank + 1) * count)

    def negatives(self, pins: Pins) -> Pins:
        """The shared negatives of this part: int32 [s]. Laid end to end the parts begin with all of `pins`.

        Where the parts are not even, the last ones end with repetitions.
        """
        count = -(-len(pins) // self.num_ranks)
        return np.resize(pins, self.num_ranks * count)[self.rank * count : (self.rank + 1) * count]


class PairOrder:
    """The pairs of each step: one seeded permutation per epoch, laid end to end and cut into batches.

    Safe to share between threads. The two epochs asked for last are kept, for near an epoch's end some threads are
    still in it and others in the next one; 8 bytes per pair and epoch.
    """

    def __init__(self, num_pairs: int, *, batch_size: int, seed: int) -> None:
        self._num_pairs, self._batch_size, self._seed = num_pairs, batch_size, seed
        self._lock = threading.Lock()
        self._epochs: dict[int, NDArray[np.int64]] = {}

    def rows(self, step: int) -> NDArray[np.int64]:
        """The rows of the pairs of a step: int64 [B]. A step number is all that a resumed run needs."""
        start = step * self._batch_size
        parts, wanted = [], self._batch_size
        while wanted:
            epoch, first = divmod(start, self._num_pairs)
            part = self._permutation(epoch)[first : first + wanted]
            parts.append(part)
            start, wanted = start + len(part), wanted - len(part)
        return np.concatenate(parts)

    def _permutation(self, epoch: int) -> NDArray[np.int64]:
        with self._lock:
            if epoch not in self._epochs:
                rng = np.random.default_rng([self._seed, _ORDER, epoch])
                self._epochs = {other: self._epochs[other] for other in sorted(self._epochs)[-1:]}
                self._epochs[epoch] = rng.permutation(self._num_pairs)
            return self._epochs[epoch]


class BatchRecipe:
    """Builds the minibatch of any step, for any number of threads at once."""

    def __init__(
        self,
        pairs: Pairs,
        expander: Expander,
        rows: FeatureRows,
        *,
        settings: BatchSettings,
        candidates: Pins,
        share: Share = Share(),
    ) -> None:
        """`rows` gives the features of pins; `candidates` are the hard-negative candidates, int32 [P, H].

        With a `share`, the minibatches are that part of the whole ones.
        """
        self._share = share
        self._pairs, self._expander, self._rows = pairs, expander, rows
        self._settings, self._candidates = settings, candidates
        self._order = PairOrder(len(pairs), batch_size=settings.batch_size, seed=settings.seed)
        num_pins = len(candidates)
        self._positive_share = np.bincount(pairs.positive, minlength=num_pins) / len(pairs)  # [P]

    def minibatch(self, step: int) -> Minibatch:
        """The minibatch of a step. Its content and order depend on the seed and the step only."""
        settings, num_pins = self._settings, len(self._candidates)
        rng = np.random.default_rng([settings.seed, _NEGATIVES, step])
        rows = self._order.rows(step)
        query, positive = self._pairs.query[rows], self._pairs.positive[rows]
        negatives = shared_negatives(num_pins, settings.num_negatives, rng)
        count = settings.hard_negatives_at(step)
        hard = hard_negatives(self._candidates, query, count=count, rng=rng)

        own = self._share.pairs(len(rows))
        parts = [query[own], positive[own], self._share.negatives(negatives), hard.pins[own].ravel()]
        subgraph, positions = self._expander.expand(np.concatenate(parts), transposed=True)
        ends = np.cumsum([len(part) for part in parts[:-1]])
        features = self._rows(subgraph.nodes)
        at_query, at_positive, at_negatives, at_hard = np.split(positions, ends)
        return Minibatch(
            step=step,
            subgraph=subgraph,
            features=features,
            query=at_query,
            positive=at_positive,
            negatives=at_negatives,
            hard_negatives=at_hard.reshape(hard.pins[own].shape),
            own=own,
            negative_mask=accidental_mask(negatives, query[own], positive[own]),
            hard_mask=accidental_mask(hard.pins[own], query[own], positive[own]),
            positive_mask=accidental_mask(positive, query[own], positive[own]),
            positive_log_q=self._log_q(positive).astype(features.dtype),
            negative_log_q=self._log_q(negatives).astype(features.dtype),
            hard_log_q=float(np.log(max(1, count) / max(1, self._candidates.shape[1]))),
            num_replaced=hard.num_replaced,
        )

    def _log_q(self, pins: Pins) -> NDArray[np.float64]:
        """Log of how often a pin is expected among the in-batch positives and the shared negatives together."""
        settings = self._settings
        expected = settings.batch_size * self._positive_share[pins] + settings.num_negatives / len(self._candidates)
        log_q: NDArray[np.float64] = np.log(expected)
        return log_q
