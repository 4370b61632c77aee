"""The questions that held-out saves ask: all pairs, new pairs, and boards.

N pairs, Q distinct queries, B boards.
"""

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pinsage.evaluation.names import ALL, NEW
from pinsage.evaluation.pin_lists import PinLists
from pinsage.evaluation.ranking import Targets
from pinsage.graph.csr import BipartiteGraph
from pinsage.pairs.pairs import HeldOutPairs, Pairs
from pinsage.settings.schema import EvaluateSettings

log = logging.getLogger(__name__)
_CHUNK_PAIRS = 4_000_000


@dataclass(frozen=True)
class PairView:
    """Held-out pairs in the order of `targets.positives`; `board` int32 [N] is -1 where a pair has none."""

    name: str
    targets: Targets
    board: NDArray[np.int32]


@dataclass(frozen=True)
class BoardView:
    """Boards (int32 [B]) with their training pins, which are no candidates, and their held-out pins as positives."""

    boards: NDArray[np.int32]
    pins: PinLists
    targets: Targets


@dataclass(frozen=True)
class Split:
    """The held-out pairs of one part, validation or test.

    `queries` int32 [Q] ascend; the rows of both pair views are theirs. `new` leaves training partners out of the
    candidates, and the pairs that are training pairs.
    """

    name: str
    queries: NDArray[np.int32]
    all: PairView
    new: PairView
    boards: BoardView

    @property
    def num_pairs(self) -> int:
        """The number of pairs in the view of all pairs."""
        return len(self.all.board)


def split_views(
    name: str, held_out: HeldOutPairs, train: Pairs, graph: BipartiteGraph, settings: EvaluateSettings
) -> Split:
    """The views of held-out pairs: at most `max_pairs` pairs and `max_boards` boards of them, drawn by the seed.

    Args:
        name: of the split.
        held_out: every held-out pair.
        train: the training pairs; a pair counts as known in both directions.
        graph: of the training saves.
        settings: the limits and the seed.
    """
    pairs = sample_pairs(name, held_out, settings)
    queries, rows = np.unique(pairs.query, return_inverse=True)  # [Q], [N]
    order = np.argsort(rows, kind="stable")  # [N]
    rows, positive, board = rows[order], pairs.positive[order], pairs.board[order]
    known = training_partners(queries, train, graph.num_pins)
    everything = PairView(ALL, Targets(PinLists.of(rows, positive, len(queries))), board)
    is_new = ~_contains(known, rows, positive)
    kept = PinLists.of(rows[is_new], positive[is_new], len(queries))
    new = PairView(NEW, Targets(kept, known), board[is_new])
    return Split(name, queries, everything, new, board_view(held_out, graph, settings))


def sample_pairs(name: str, pairs: HeldOutPairs, settings: EvaluateSettings) -> HeldOutPairs:
    """At most `max_pairs` of the pairs, drawn by the seed, in their order."""
    if len(pairs) <= settings.max_pairs:
        return pairs
    rng = np.random.default_rng(settings.seed)
    chosen = np.sort(rng.choice(len(pairs), settings.max_pairs, replace=False))
    log.info("%s: %d of %d pairs drawn (evaluate.max_pairs)", name, len(chosen), len(pairs))
    return HeldOutPairs(pairs.query[chosen], pairs.positive[chosen], pairs.board[chosen])


def training_partners(queries: NDArray[np.int32], train: Pairs, num_pins: int) -> PinLists:
    """The pins that training pairs each query with, in either direction, ascending and each once."""
    row_of = np.full(num_pins, -1, np.int32)  # [P]
    row_of[queries] = np.arange(len(queries), dtype=np.int32)
    keys = [np.zeros(0, np.int64)]
    for start in range(0, len(train), _CHUNK_PAIRS):
        query, positive = (side[start : start + _CHUNK_PAIRS] for side in (train.query, train.positive))
        # In both directions: whoever has seen (a, b) knows the answer to b as well.
        keys += [_keys(row_of[one], other) for one, other in ((query, positive), (positive, query))]
    found = np.unique(np.concatenate(keys))  # row and pin in one number, ascending
    return PinLists.of(found >> 32, (found & 0xFFFFFFFF).astype(np.int32), len(queries))


def board_view(held_out: HeldOutPairs, graph: BipartiteGraph, settings: EvaluateSettings) -> BoardView:
    """Boards that have held-out pins and training pins, at most `max_boards` of them."""
    keys = np.unique(_keys(held_out.board, held_out.positive))
    boards, pins = (keys >> 32).astype(np.int32), (keys & 0xFFFFFFFF).astype(np.int32)
    found = np.unique(boards)  # [B]
    # A board without training pins has nothing to ask with.
    found = found[graph.board_degrees[found] > 0]
    if len(found) > settings.max_boards:
        rng = np.random.default_rng(settings.seed)
        found = np.sort(rng.choice(found, settings.max_boards, replace=False))
    training = PinLists(graph.board_offsets, graph.board_pins).take(found.astype(np.int64))
    held = PinLists.of(boards, pins, graph.num_boards).take(found.astype(np.int64))
    return BoardView(found, training, Targets(held, training))


def _keys(rows: NDArray[np.int32], pins: NDArray[np.int32]) -> NDArray[np.int64]:
    """One number per pair of a row and a pin, for rows that are not -1."""
    is_some = rows >= 0
    return (rows[is_some].astype(np.int64) << 32) | pins[is_some]


def _contains(lists: PinLists, rows: NDArray[np.int64], pins: NDArray[np.int32]) -> NDArray[np.bool_]:
    return np.isin((rows << 32) | pins, (lists.rows << 32) | lists.pins)
