"""Parts of the held-out pairs whose figures are shown apart: cold pins, popular pins, large boards.

N pairs, P pins, B boards.
"""

import numpy as np
from numpy.typing import NDArray

from pinsage.evaluation.averages import Slice
from pinsage.evaluation.views import PairView
from pinsage.graph.csr import BipartiteGraph

COLD = "cold"  # the slice of pairs that touch a cold pin on either side


def pair_slices(view: PairView, queries: NDArray[np.int32], graph: BipartiteGraph) -> list[Slice]:
    """Cold and warm pairs, queries and positives, deciles of the positive's degree, quartiles of the board's size.

    A pin is cold where the training graph has no save of it. Deciles and quartiles are of the pairs, so that each part
    holds about as many; parts of equal values fall together. A part is named by the values it spans.
    """
    degrees, positives = graph.pin_degrees, view.targets.positives
    query, positive = degrees[queries[positives.rows]], degrees[positives.pins]
    slices = [
        _warmth(COLD, (query == 0) | (positive == 0)), _warmth("query", query == 0), _warmth("positive", positive == 0),
        Slice("positive_degree", _quantiles(positive, 10, np.ones(len(positive), np.bool_))),
    ]  # fmt: skip
    has_board = view.board >= 0
    sizes = np.append(graph.board_degrees, 0)[view.board]  # the last one is that of no board, -1
    return [*slices, Slice("board_size", _quantiles(sizes, 4, has_board))]


def _warmth(name: str, is_cold: NDArray[np.bool_]) -> Slice:
    return Slice(name, {"cold": is_cold, "warm": ~is_cold})


def _quantiles(values: NDArray[np.int64], num_parts: int, among: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
    if not among.any():
        return {}
    inner = np.arange(1, num_parts) / num_parts
    bounds = np.unique(np.quantile(values[among], inner, method="inverted_cdf"))  # of the parts, at most num_parts - 1
    part = np.searchsorted(bounds, values, "left")  # [N]
    chosen = [among & (part == number) for number in np.unique(part[among])]
    return {f"{values[some].min()}-{values[some].max()}": some for some in chosen}
