"""Weights of saves: a walk follows a recent or a well-rated save more often than another.

Letters: P pins, B boards, S saves of the graph, N saves of a block of the catalog.
"""

from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pinsage.catalog.catalog import Catalog
from pinsage.errors import DatasetError, SettingsError
from pinsage.graph.build import check_same_rows
from pinsage.graph.csr import BipartiteGraph
from pinsage.graph.scatter import group_by_key
from pinsage.pairs.board_blocks import UNTIMED, BoardBlock, board_blocks, has_weights
from pinsage.settings.schema import GraphSettings

LIGHTEST, HEAVIEST = 2.0**-100, 2.0**100  # so that neither a weight nor a sum of them leaves the range of float32
_US_PER_DAY = 86_400e6


@dataclass(frozen=True)
class WeightFigures:
    """Statistics of the weights of a graph. `untimed_saves` counts the saves without a time, when time matters."""

    edge_weights: str
    lightest_save: float
    heaviest_save: float
    untimed_saves: int


def add_weights(
    graph: BipartiteGraph, catalog: Catalog, settings: GraphSettings
) -> tuple[BipartiteGraph, WeightFigures]:
    """The graph with `pin_weights` and `board_weights`, and their figures.

    The weight by recency is 2 ** (-age / half-life), where the newest save of the graph has age 0 and a save without a
    time is as old as the oldest one that has one. The weight by rating is the catalog's `weight`. Both multiplies them.
    The graph knows neither, so each save is looked up in the catalog, some boards at a time.

    Raises:
        SettingsError: what decides the weights is not in the data set.
        DatasetError: the graph, or a save of it, is of another catalog.
    """
    check_same_rows(graph, catalog)
    by_recency, by_rating = (settings.edge_weights in (name, "both") for name in ("recency", "rating"))
    if by_rating and not has_weights(catalog):
        raise SettingsError(
            f"graph.edge_weights is '{settings.edge_weights}', but the saves of the data set have no column 'weight'. "
            "Bring one, or set graph.edge_weights=recency or none."
        )
    times, weights = _times_and_weights(graph, catalog, by_rating=by_rating)
    num_untimed = _fade(weights, times, settings) if by_recency else 0
    # A weight of 0 would be a save that no walk takes but every degree counts.
    np.clip(weights, LIGHTEST, HEAVIEST, out=weights)
    # Grouping the board side by pin is how the pin side was made, so the weights come out beside their boards.
    pin_weights = group_by_key(graph.board_pins, weights.view(np.int32), graph.num_pins)[1].view(np.float32)
    lightest, heaviest = float(weights.min(initial=HEAVIEST)), float(weights.max(initial=LIGHTEST))
    figures = WeightFigures(settings.edge_weights, lightest, heaviest, num_untimed)
    return replace(graph, pin_weights=pin_weights, board_weights=weights), figures


def _fade(weights: NDArray[np.float32], times: NDArray[np.int64], settings: GraphSettings) -> int:
    """Multiply the weight of each save by that of its age; returns how many saves have no time."""
    newest, oldest, num_untimed = _span(times)
    if num_untimed == len(times):
        raise SettingsError(
            f"graph.edge_weights is '{settings.edge_weights}', but none of {len(times):,} training saves has a time in "
            "'saved_at'. Bring times, or set graph.edge_weights=rating or none."
        )
    _halve(weights, times, newest, oldest, settings.recency_half_life_days * _US_PER_DAY)
    return int(num_untimed)


def _times_and_weights(
    graph: BipartiteGraph, catalog: Catalog, *, by_rating: bool
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The time (int64 [S], microseconds or UNTIMED) and the weight (float32 [S]) of each save, beside `board_pins`."""
    times, weights = np.empty(graph.num_saves, np.int64), np.empty(graph.num_saves, np.float32)  # [S] each
    num_found = 0
    for block in board_blocks(catalog, weights=by_rating):
        num_found += _look_up(block, graph, times, weights)
    if num_found != graph.num_saves:
        raise DatasetError(
            f"The graph has {graph.num_saves:,} saves, of which {catalog.folder} knows {num_found:,}. "
            "Make the saves and the catalog in the same run."
        )
    return times, weights


def _look_up(block: BoardBlock, graph: BipartiteGraph, times: NDArray[np.int64], weights: NDArray[np.float32]) -> int:
    """Copy the time and the weight of every save of the block's boards; returns how many the block knows."""
    # The catalog has a board's saves by time, the graph by pin: sorted alike, both are read once, side by side.
    order = np.argsort((block.board.astype(np.int64) << 32) | block.pin)  # [N]
    kept = (block.board[order], block.pin[order], block.saved_at[order], block.weight[order])
    return int(_copy(*kept, graph.board_offsets, graph.board_pins, times, weights))


@njit(nogil=True, cache=True)
def _copy(
    boards: NDArray[np.int32],
    pins: NDArray[np.int32],
    saved_at: NDArray[np.int64],
    given: NDArray[np.float32],
    board_offsets: NDArray[np.int64],
    board_pins: NDArray[np.int32],
    times: NDArray[np.int64],
    weights: NDArray[np.float32],
) -> int:
    num_found, save, last_board = 0, 0, -1
    for row in range(len(boards)):
        if boards[row] != last_board:
            last_board = boards[row]
            # Both sides have the boards in ascending order, so each save is looked at once.
            save = board_offsets[last_board]
        while save < board_offsets[last_board + 1] and board_pins[save] < pins[row]:
            save += 1
        # A loop, for a pin may be on a board twice in a graph that was made by hand.
        while save < board_offsets[last_board + 1] and board_pins[save] == pins[row]:
            times[save], weights[save] = saved_at[row], given[row]
            num_found += 1
            save += 1
    return num_found


@njit(nogil=True, cache=True)
def _span(times: NDArray[np.int64]) -> tuple[int, int, int]:
    """The newest and the oldest time, and how many saves have none."""
    newest, oldest, untimed = -UNTIMED, UNTIMED, 0
    for time in times:
        if time == UNTIMED:
            untimed += 1
        else:
            newest, oldest = max(newest, time), min(oldest, time)
    return newest, oldest, untimed


@njit(nogil=True, cache=True)
def _halve(
    weights: NDArray[np.float32], times: NDArray[np.int64], newest: int, oldest: int, half_life_us: float
) -> None:
    for save in range(len(weights)):
        time = oldest if times[save] == UNTIMED else times[save]
        # Bounded below before it is multiplied: a product with 0 would forget the rating.
        weights[save] *= max(2.0 ** (-(newest - time) / half_life_us), LIGHTEST)
