"""The training pairs of a step, from a list of pairs or from the boards that pins share.

N pairs in an epoch, B pairs in a minibatch, S saves, P pins.
"""

import threading
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pinsage.pairs.board_pins import BoardPins
from pinsage.pairs.draws import draw_by_hash
from pinsage.pairs.pairs import Pairs

_ORDER = 0  # the stream of random numbers, among those that hang on one seed; the negatives have another


class PairSource(Protocol):
    """A source of the training pairs of any step, for any number of threads: a function of its seed and the step."""

    def pairs(self, step: int) -> Pairs:
        """The B pairs of a step. A step number is all that a resumed run needs."""

    def positive_share(self, num_pins: int) -> NDArray[np.float64]:
        """The share of the positives that each pin is expected to be: float64 [P], sums to 1."""


class PairOrder:
    """The rows of each step: one seeded permutation per epoch, laid end to end and cut into batches.

    Safe to share between threads. The two epochs asked for last are kept, for near an epoch's end some threads are
    still in it and others in the next one; 8 bytes per row and epoch.
    """

    def __init__(self, num_rows: int, *, batch_size: int, seed: int) -> None:
        self._num_rows, self._batch_size, self._seed = num_rows, batch_size, seed
        self._lock = threading.Lock()
        self._epochs: dict[int, NDArray[np.int64]] = {}

    def rows(self, step: int) -> NDArray[np.int64]:
        """The rows of a step: int64 [B]."""
        return np.concatenate([rows for _, rows in self.parts(step)])

    def parts(self, step: int) -> list[tuple[int, NDArray[np.int64]]]:
        """The rows of a step, each run of one epoch with the epoch's number: int64 [B] together."""
        start = step * self._batch_size
        parts, wanted = [], self._batch_size
        while wanted:
            # A minibatch may end one epoch and begin the next; a small set may even pass through several.
            epoch, first = divmod(start, self._num_rows)
            part = self._permutation(epoch)[first : first + wanted]
            parts.append((epoch, part))
            start, wanted = start + len(part), wanted - len(part)
        return parts

    def _permutation(self, epoch: int) -> NDArray[np.int64]:
        with self._lock:
            if epoch not in self._epochs:
                rng = np.random.default_rng([self._seed, _ORDER, epoch])
                # Only the newest epoch stays beside the one asked for; an older one can be drawn again from the seed.
                self._epochs = {other: self._epochs[other] for other in sorted(self._epochs)[-1:]}
                self._epochs[epoch] = rng.permutation(self._num_rows)
            return self._epochs[epoch]


class ListedPairs:
    """Pairs of a list, each once an epoch."""

    def __init__(self, pairs: Pairs, *, batch_size: int, seed: int) -> None:
        self._pairs, self._order = pairs, PairOrder(len(pairs), batch_size=batch_size, seed=seed)

    def pairs(self, step: int) -> Pairs:
        """The pairs of a step."""
        rows = self._order.rows(step)
        return Pairs(self._pairs.query[rows], self._pairs.positive[rows])

    def positive_share(self, num_pins: int) -> NDArray[np.float64]:
        """The share of the list's positives that each pin is: float64 [P]."""
        share: NDArray[np.float64] = np.bincount(self._pairs.positive, minlength=num_pins) / len(self._pairs)
        return share


class CoMembers:
    """Pins that share a board: each save is the query of one pair an epoch, with another pin of its board drawn anew.

    Which one is a hash of the seed, the epoch and the save, so that nothing of an epoch is kept but its permutation.
    """

    def __init__(self, boards: BoardPins, *, batch_size: int, seed: int) -> None:
        self._boards, self._seed = boards, seed
        self._order = PairOrder(len(boards.pins), batch_size=batch_size, seed=seed)

    def pairs(self, step: int) -> Pairs:
        """The pairs of a step."""
        return Pairs.concat([self._draw(epoch, saves) for epoch, saves in self._order.parts(step)])

    def positive_share(self, num_pins: int) -> NDArray[np.float64]:
        """The share of the saves that each pin has: float64 [P].

        On a board of n pins each is the positive of n - 1 queries with probability 1 / (n - 1): of one an epoch.
        """
        pins = self._boards.pins
        share: NDArray[np.float64] = np.bincount(pins, minlength=num_pins) / len(pins)
        return share

    def _draw(self, epoch: int, saves: NDArray[np.int64]) -> Pairs:
        offsets, pins = self._boards.offsets, self._boards.pins
        # Looked up rather than kept: a board for each save would take as much memory as the saves.
        board = np.searchsorted(offsets, saves, side="right") - 1  # [n]
        first, size = offsets[board], offsets[board + 1] - offsets[board]
        draws = draw_by_hash(saves.astype(np.uint64), np.full(len(saves), epoch, np.uint64), self._seed)  # [n]
        other = first + (draws % (size - 1).astype(np.uint64)).astype(np.int64)
        return Pairs(pins[saves], pins[other + (other >= saves)])  # past the query itself
