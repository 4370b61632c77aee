"""Pruning: drop the boards of all sorts, and the saves of a busy pin to the boards least like it.

Source: Pixie §3.2 (Eksombatchai et al., WWW 2018). Differs from it: topics are not learned, see topics.py; the entropy
of a board is the quadratic one, the mean dissimilarity of two of its pins (Rao 1982), which needs no discrete topics.

Letters: P pins, B boards, S saves.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pinsage.catalog.catalog import Catalog
from pinsage.errors import SettingsError
from pinsage.graph.build import check_same_rows
from pinsage.graph.csr import BipartiteGraph
from pinsage.graph.scatter import grouped, rows_of
from pinsage.graph.topics import DIM, Topics, pin_topics
from pinsage.settings import GraphSettings

PRIOR_PAIRS = 20.0  # of pins of average similarity that every board is given: few pins alone prove little
ROUNDING = 1e-9  # so that n ** δ that is whole but for rounding is not one save more


@dataclass(frozen=True)
class PruningFigures:
    """What was dropped: boards, saves to these, and saves of busy pins; the mean entropy of boards before and after."""

    pruned_boards: int
    pruned_saves_of_boards: int
    pruned_saves_of_pins: int
    mean_board_entropy_unpruned: float
    mean_board_entropy: float


def pruned(graph: BipartiteGraph, catalog: Catalog, settings: GraphSettings) -> tuple[BipartiteGraph, PruningFigures]:
    """The graph without its most diverse boards and without the least fitting saves of its busy pins.

    First the `prune_board_share` of the boards with saves whose entropy is highest loses all of them; a board of which
    fewer than two pins are known by word or category stays. Then every pin of n boards keeps ceil(n ** prune_delta)
    saves, to the boards whose other pins are most similar to it; of equally similar ones, to the first. A pin may lose
    its last board to the first step and never to the second. Takes 64 bytes a pin and 256 a board.

    Raises:
        SettingsError: nothing tells what a pin is about.
        DatasetError: the graph is of another catalog.
    """
    check_same_rows(graph, catalog)
    topics = pin_topics(catalog, graph)
    _check_known(topics, graph, settings)
    entropy = board_entropy(graph, topics)
    before = _mean(entropy)
    is_kept = ~_most_diverse(entropy, graph, settings.prune_board_share)
    fewer = _with_saves(graph, is_kept[graph.pin_boards])
    kept = _most_similar(fewer, topics, settings.prune_delta) if settings.prune_delta < 1 else fewer
    return kept, PruningFigures(
        pruned_boards=int(np.count_nonzero(~is_kept)),
        pruned_saves_of_boards=graph.num_saves - fewer.num_saves,
        pruned_saves_of_pins=fewer.num_saves - kept.num_saves,
        mean_board_entropy_unpruned=before,
        mean_board_entropy=_mean(board_entropy(kept, topics)),
    )


def board_entropy(graph: BipartiteGraph, topics: Topics) -> NDArray[np.float64]:
    """float64 [B]: 1 - the mean cosine of two pins of the board; NaN where fewer than two pins have a topic.

    From 0, all pins alike, over 1, pins at right angles, to almost 2, two opposite pins. Every board counts as if it
    held twenty more pairs of the average similarity, so that two pins alone do not make an extreme.
    """
    similarity, pairs = _pair_similarity(graph.board_offsets, graph.board_pins, topics)
    average = similarity.sum() / max(pairs.sum(), 1.0)
    entropy = 1 - (similarity + PRIOR_PAIRS * average) / (pairs + PRIOR_PAIRS)
    return np.where(pairs > 0, entropy, np.nan)


def _check_known(topics: Topics, graph: BipartiteGraph, settings: GraphSettings) -> None:
    if not topics.any():
        raise SettingsError(
            f"graph.prune_board_share {settings.prune_board_share:g} and graph.prune_delta {settings.prune_delta:g} "
            f"need to know what pins are about, but the words and categories of {graph.num_pins:,} pins and "
            f"{graph.num_boards:,} boards tell none from another. Bring annotations, or set them to 0 and 1."
        )


def _mean(entropy: NDArray[np.float64]) -> float:
    known = entropy[~np.isnan(entropy)]
    return round(float(known.mean()), 4) if len(known) else 0.0


def _most_diverse(entropy: NDArray[np.float64], graph: BipartiteGraph, share: float) -> NDArray[np.bool_]:
    """bool [B]: the boards to drop; of equally diverse ones the first."""
    count = int(share * np.count_nonzero(graph.board_degrees))
    order = np.argsort(-entropy, kind="stable")[:count]  # NaN sorts last
    is_dropped = np.zeros(len(entropy), np.bool_)
    is_dropped[order[~np.isnan(entropy[order])]] = True
    return is_dropped


def _most_similar(graph: BipartiteGraph, topics: Topics, delta: float) -> BipartiteGraph:
    sums = _board_sums(graph.board_offsets, graph.board_pins, topics)
    return _with_saves(graph, _fitting(graph.pin_offsets, graph.pin_boards, topics, sums, delta))


def _with_saves(graph: BipartiteGraph, is_kept: NDArray[np.bool_]) -> BipartiteGraph:
    """The graph with those of its saves, bool [S] beside `pin_boards`, that are kept."""
    if is_kept.all():
        return graph
    pin_offsets, pin_boards = _kept_offsets(graph.pin_offsets, is_kept), graph.pin_boards[is_kept]
    return BipartiteGraph(pin_offsets, pin_boards, *grouped(pin_boards, rows_of(pin_offsets), graph.num_boards))


@njit(nogil=True, cache=True)
def _kept_offsets(offsets: NDArray[np.int64], is_kept: NDArray[np.bool_]) -> Any:
    kept, count = np.zeros(len(offsets), np.int64), 0
    for row in range(len(offsets) - 1):
        for save in range(offsets[row], offsets[row + 1]):
            count += is_kept[save]
        kept[row + 1] = count
    return kept


@njit(nogil=True, cache=True)
def _add(total: NDArray[np.floating], topic: Topics) -> int:
    """Add the unit vector of a topic, if there is one; returns how many were added."""
    length = 0.0
    for place in range(DIM):
        length += np.float64(topic[place]) ** 2
    if length == 0:
        return 0
    scale = 1 / np.sqrt(length)
    for place in range(DIM):
        total[place] += topic[place] * scale
    return 1


@njit(nogil=True, cache=True)
def _pair_similarity(offsets: NDArray[np.int64], pins: NDArray[np.int32], topics: Topics) -> tuple[Any, Any]:
    """The sum of the cosines of all ordered pairs of different pins of each board, and how many pairs there are."""
    similarity, pairs = np.zeros(len(offsets) - 1), np.zeros(len(offsets) - 1)
    total = np.empty(DIM)
    for board in range(len(offsets) - 1):
        total[:] = 0
        count = 0
        for save in range(offsets[board], offsets[board + 1]):
            count += _add(total, topics[pins[save]])
        similarity[board] = np.sum(total**2) - count  # each pin's cosine with itself is 1
        pairs[board] = count * (count - 1)
    return similarity, pairs


@njit(nogil=True, cache=True)
def _board_sums(offsets: NDArray[np.int64], pins: NDArray[np.int32], topics: Topics) -> Any:
    sums = np.zeros((len(offsets) - 1, DIM), np.float32)
    for board in range(len(sums)):
        for save in range(offsets[board], offsets[board + 1]):
            _add(sums[board], topics[pins[save]])
    return sums


@njit(nogil=True, cache=True)
def _fit(topic: NDArray[np.float32], board: NDArray[np.float32]) -> float:
    """The cosine of a pin's unit vector and what is left of its board's sum without it; 0 if nothing is."""
    along, length = 0.0, 0.0
    for place in range(DIM):
        other = board[place] - topic[place]
        along += topic[place] * other
        length += other * other
    return along / np.sqrt(length) if length > 1e-6 else 0.0


@njit(nogil=True, cache=True)
def _fitting(
    offsets: NDArray[np.int64],
    boards: NDArray[np.int32],
    topics: Topics,
    sums: NDArray[np.float32],
    delta: float,
) -> Any:
    """bool [S]: the saves that each pin keeps."""
    is_kept = np.ones(len(boards), np.bool_)
    for pin in range(len(offsets) - 1):
        begin, end = offsets[pin], offsets[pin + 1]
        count = int(np.ceil((end - begin) ** delta - ROUNDING))
        if count >= end - begin:
            continue
        topic = np.zeros(DIM, np.float32)
        _add(topic, topics[pin])
        misfit = np.empty(end - begin)
        for save in range(begin, end):
            misfit[save - begin] = -_fit(topic, sums[boards[save]])
        for place in np.argsort(misfit, kind="mergesort")[count:]:
            is_kept[begin + place] = False
    return is_kept
