"""Exact ranks and exact nearest pins under any way of scoring, in bounded memory.

A row of scores belongs to a query pin or to a board. Letters: P pins, R rows, N positives, n rows of a chunk, k pins
asked for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pinsage.evaluation.pin_lists import PinLists
from pinsage.pairs.pairs import Pairs

CHUNK_BYTES = 128_000_000
TIE = 1e-6  # scores closer than this, as a share of the best score where that is below 1, differ by rounding alone
UNRANKED = np.finfo(np.float32).min  # the score of a pin that a method knows nothing about; such pins tie at the end
Chunks = Iterator[tuple[int, NDArray[np.float32]]]


class Scorer(Protocol):
    """A method that scores every pin for some queries."""

    num_pins: int

    def scores(self, queries: NDArray[np.int32]) -> NDArray[np.float32]:
        """float32 [n, P], new and writable: higher is better, UNRANKED where the method cannot say."""


@runtime_checkable
class BoardScorer(Scorer, Protocol):
    """A method that scores every pin for some boards faster than by the mean over their pins."""

    def board_scores(self, boards: PinLists) -> NDArray[np.float32]:
        """float32 [n, P], new and writable: the mean score over the pins of each board."""


@dataclass(frozen=True)
class Targets:
    """The positives of each row of scores, and pins of each row that are no candidates; a row's query never is."""

    positives: PinLists
    excluded: PinLists | None = None


@dataclass(frozen=True)
class Ranking:
    """The rank of each positive, float64 [N] in the order of the lists, and the best pins of each row, int32 [R, k]."""

    ranks: NDArray[np.float64]
    top: NDArray[np.int32]


def ranks(scorer: Scorer, pairs: Pairs) -> NDArray[np.float64]:
    """The rank of each pair's positive among all pins except the query: float64 [N], 1 to P - 1; see `rank_chunks`."""
    queries, rows = np.unique(pairs.query, return_inverse=True)  # [R], [N]
    order = np.argsort(rows, kind="stable")  # [N]
    targets = Targets(PinLists.of(rows[order], pairs.positive[order], len(queries)))
    found = np.empty(len(pairs), np.float64)
    found[order] = rank_chunks(query_chunks(scorer, queries), [targets])[0].ranks
    return found


def rank_chunks(chunks: Chunks, questions: Sequence[Targets], *, depth: int = 1) -> list[Ranking]:
    """Rank the positives of several questions about the same rows of scores, each chunk of which is computed once.

    rank = 1 + pins that score higher + half of the pins that score the same: neither the luck of being stored first
    nor a constant score is rewarded, and ranks are what they are on average over random orders of the equal ones.

    Args:
        chunks: the first row and the scores of each chunk; they are written to.
        questions: each leaves out what those before it leave out, and more.
        depth: k, how many of the best pins are kept of each row.

    Source: PinSage §4.2.
    """
    found = [
        Ranking(np.empty(len(asked.positives.pins)), np.full((len(asked.positives), depth), -1, np.int32))
        for asked in questions
    ]
    for start, scores in chunks:
        end = start + len(scores)
        for asked, ranking in zip(questions, found, strict=True):
            if asked.excluded is not None:
                exclude(scores, asked.excluded.part(start, end))
            _fill_top(scores, ranking.top[start:end])
            positives = asked.positives.part(start, end)
            begin = asked.positives.offsets[start]
            _fill_ranks(
                scores, ranking.top[start:end], positives.offsets, positives.pins,
                ranking.ranks[begin : begin + len(positives.pins)],
            )  # fmt: skip
    return found


def top(scorer: Scorer, queries: NDArray[np.int32], k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The pins that score highest for each query, without the query itself and without unranked pins.

    Returns:
        int32 [R, k] pins, best first (of equals the smaller pin), padded with -1; float32 [R, k] scores, padded with 0.
    """
    pins = np.full((len(queries), k), -1, np.int32)  # [R, k]
    best = np.zeros((len(queries), k), np.float32)  # [R, k]
    for start, scores in query_chunks(scorer, queries):
        part = pins[start : start + len(scores)]
        _fill_top(scores, part)
        best[start : start + len(scores)] = np.where(part >= 0, np.take_along_axis(scores, part, axis=1), 0)
    return pins, best


def query_chunks(scorer: Scorer, queries: NDArray[np.int32]) -> Chunks:
    """The place of a chunk's first query and its scores, float32 [n, P], in which a query itself has -inf."""
    size = _rows_at_once(scorer.num_pins)
    for start in range(0, len(queries), size):
        chunk = queries[start : start + size]
        scores = scorer.scores(chunk)  # [n, P]
        scores[np.arange(len(chunk)), chunk] = -np.inf
        yield start, scores


def board_chunks(scorer: Scorer, boards: PinLists) -> Chunks:
    """The place of a chunk's first board and its scores, float32 [n, P]: the mean over the board's pins."""
    size = _rows_at_once(scorer.num_pins)
    for start in range(0, len(boards), size):
        part = boards.part(start, min(start + size, len(boards)))
        yield start, scorer.board_scores(part) if isinstance(scorer, BoardScorer) else mean_scores(scorer, part)


def mean_scores(scorer: Scorer, boards: PinLists) -> NDArray[np.float32]:
    """The mean of a method's scores over the pins of each board, float32 [n, P].

    A pin that is unranked for some pins of the board counts 0 there; one that is unranked for all stays unranked.
    """
    found = np.full((len(boards), scorer.num_pins), UNRANKED, np.float32)  # [n, P]
    size = _rows_at_once(scorer.num_pins)
    for board in range(len(boards)):
        pins = boards.part(board, board + 1).pins
        total, is_ranked = np.zeros(scorer.num_pins), np.zeros(scorer.num_pins, np.bool_)  # [P] each
        for start in range(0, len(pins), size):
            scores = scorer.scores(pins[start : start + size])
            known = scores > UNRANKED
            total += np.where(known, scores, 0).sum(axis=0)
            is_ranked |= known.any(axis=0)
        found[board, is_ranked] = total[is_ranked] / len(pins)
    return found


def _rows_at_once(num_pins: int) -> int:
    return max(1, CHUNK_BYTES // (4 * max(1, num_pins)))


def exclude(scores: NDArray[np.float32], pins: PinLists) -> None:
    """Give the pins of each row -inf, which is below UNRANKED: they are no candidates there."""
    scores[pins.rows, pins.pins] = -np.inf


@njit(nogil=True, cache=True)
def _fill_top(scores: NDArray[np.float32], pins: NDArray[np.int32]) -> None:
    """Write the best pins of each row, by insertion: a pin that beats the k-th is rare after the first few hundred."""
    k = pins.shape[1]
    best = np.empty(k, np.float32)
    for row in range(len(scores)):
        best[:] = UNRANKED
        for pin in range(scores.shape[1]):
            score = scores[row, pin]
            if score > best[k - 1]:
                place = k - 1
                while place > 0 and best[place - 1] < score:
                    best[place], pins[row, place] = best[place - 1], pins[row, place - 1]
                    place -= 1
                best[place], pins[row, place] = score, pin


@njit(nogil=True, cache=True)
def _fill_ranks(
    scores: NDArray[np.float32],
    top_pins: NDArray[np.int32],
    offsets: NDArray[np.int64],
    positives: NDArray[np.int32],
    found: NDArray[np.float64],
) -> None:
    """Two counts per positive, without a branch, so that the compiler can take many scores at once."""
    for row in range(len(scores)):
        line, first = scores[row], top_pins[row, 0]
        # What differs by rounding alone is a tie, at any scale of scores: processors add in different orders.
        highest = abs(line[first]) if first >= 0 else np.float32(0)
        for place in range(offsets[row], offsets[row + 1]):
            own = line[positives[place]]
            slack = np.float32(TIE) * min(np.float32(1), max(highest, abs(own)))
            above, below = own + slack, own - slack
            higher, not_lower = 0, 0
            for score in line:
                higher += score > above
                not_lower += score >= below
            found[place] = 1 + higher + (not_lower - higher - 1) / 2
