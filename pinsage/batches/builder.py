"""Minibatches of pairs and negatives: each a function of the seed and the step alone.

B pairs in a minibatch, S shared negatives, h hard negatives per query, P pins.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pinsage.batches.minibatch import FeatureRows, Minibatch, NeighborSampler
from pinsage.batches.negatives import accidental_mask, hard_negatives, shared_negatives
from pinsage.batches.pair_source import PairSource

Pins = NDArray[np.int32]
_NEGATIVES = 1  # the stream of random numbers, among those that hang on one seed; the order of pairs has another


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
        # Rounded up, so that all ranks have arrays of one size, as a gather between them asks for.
        count = -(-len(pins) // self.num_ranks)
        return np.resize(pins, self.num_ranks * count)[self.rank * count : (self.rank + 1) * count]


class BatchBuilder:
    """The recipe of the minibatch of any step, for any number of threads at once."""

    def __init__(
        self,
        source: PairSource,
        sampler: NeighborSampler,
        rows: FeatureRows,
        *,
        settings: BatchSettings,
        candidates: Pins,
        share: Share = Share(),
    ) -> None:
        """`source` gives the pairs, as many as `settings` say, and `rows` the features of pins.

        `candidates` are the hard-negative candidates, int32 [P, H].

        With a `share`, the minibatches are that part of the whole ones.
        """
        self._share = share
        self._source, self._sampler, self._rows = source, sampler, rows
        self._settings, self._candidates = settings, candidates
        self._positive_share = source.positive_share(len(candidates))  # [P]

    def build(self, step: int) -> Minibatch:
        """The minibatch of a step. Its content and order depend on the seed and the step only."""
        settings, num_pins = self._settings, len(self._candidates)
        rng = np.random.default_rng([settings.seed, _NEGATIVES, step])
        pairs = self._source.pairs(step)
        query, positive = pairs.query, pairs.positive
        # Drawn for the whole minibatch on every rank, before anything is shared out: the ranks need not tell each
        # other.
        negatives = shared_negatives(num_pins, settings.num_negatives, rng)
        count = settings.hard_negatives_at(step)
        hard = hard_negatives(self._candidates, query, count=count, rng=rng)

        own = self._share.pairs(len(pairs))
        parts = [query[own], positive[own], self._share.negatives(negatives), hard.pins[own].ravel()]
        # All roles in one expansion: a pin that is a query here and a negative there is embedded once.
        subgraph, positions = self._sampler.sample(np.concatenate(parts), transposed=True)
        ends = np.cumsum([len(part) for part in parts[:-1]])  # where the roles meet
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
            # From expected counts, not from those of this minibatch: the correction must not depend on what was drawn.
            positive_log_q=self._log_q(positive).astype(features.dtype),
            negative_log_q=self._log_q(negatives).astype(features.dtype),
            # Each of a query's candidates is as likely as any other, so one number holds for all.
            hard_log_q=float(np.log(max(1, count) / max(1, self._candidates.shape[1]))),
            num_replaced=hard.num_replaced,
        )

    def _log_q(self, pins: Pins) -> NDArray[np.float64]:
        """Log of how often a pin is expected among the in-batch positives and the shared negatives together."""
        settings = self._settings
        expected = settings.batch_size * self._positive_share[pins] + settings.num_negatives / len(self._candidates)
        log_q: NDArray[np.float64] = np.log(expected)
        return log_q
