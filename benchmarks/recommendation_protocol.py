"""Proof of the protocol: published figures on Gowalla's published split, through the evaluation's own board view.

    python benchmarks/recommendation_protocol.py ../shared/data/gowalla --methods gfcf,ease --json out.json

Published Recall@20 / NDCG@20 (BARS, gowalla_m1): EASE 0.1765 / 0.1467, GF-CF 0.1849 / 0.1518. `ease` is the baseline of
the pipeline, whose matrix is P x P: 6.7 GB for the 40,981 pins and about ten minutes of two cores.
`ease_by_boards` gives the same scores of boards from a matrix of B x B, 3.6 GB and 2.6 times less work. `--pins 5000`
takes the pins of the most boards alone, which proves the code (the two agree) and not the figure.
"""

import argparse
import json
import logging
import time
from pathlib import Path

import hardware
import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags

from pinsage.evaluation.averages import board_averages
from pinsage.evaluation.baselines.ease import Linear, add_gram, ease_weights, invert
from pinsage.evaluation.baselines.factors import leading_factors
from pinsage.evaluation.intervals import interval, resample
from pinsage.evaluation.pin_lists import PinLists
from pinsage.evaluation.ranking import Chunks, Scorer, board_chunks, rank_chunks
from pinsage.evaluation.views import BoardView, board_view
from pinsage.graph.build import build_graph
from pinsage.graph.csr import BipartiteGraph
from pinsage.pairs.pairs import HeldOutPairs
from pinsage.settings.schema import EvaluateSettings

PUBLISHED = {"ease": (0.1765, 0.1467), "ease_by_boards": (0.1765, 0.1467), "gfcf": (0.1849, 0.1518)}
TOLERANCE = 0.002
ROWS_AT_ONCE = 1024
TUNING_BOARDS, TUNING_SHARE = 5000, 0.1


class GraphFilter:
    """GF-CF: a linear low-pass filter and 0.3 of an ideal one, of the normalized matrix of saves R̃.

    A board's row of saves r scores r R̃ᵀR̃ + 0.3 r D^-½ V Vᵀ D^½, where V are the 256 leading right singular vectors.

    Source: Shen et al., CIKM 2021, and its code for Gowalla.
    """

    def __init__(self, graph: BipartiteGraph, rank: int = 256, share: float = 0.3) -> None:
        """Factor the saves of a graph."""
        self.num_pins, self._share = graph.num_pins, share
        pins, boards = (np.maximum(degrees, 1) ** -0.5 for degrees in (graph.pin_degrees, graph.board_degrees))
        ones = np.ones(graph.num_saves)
        saves = csr_matrix((ones, graph.board_pins, graph.board_offsets), (graph.num_boards, graph.num_pins))
        self._normal = (diags(boards) @ saves @ diags(pins)).tocsr()
        self._damping = pins
        self._right = np.ascontiguousarray(leading_factors(self._normal.T, rank, seed=0)[0].T, np.float32)  # [rank, P]

    def scores(self, queries: NDArray[np.int32]) -> NDArray[np.float32]:
        """The scores of boards of one pin, float32 [n, P]."""
        return self.board_scores(PinLists(np.arange(len(queries) + 1), queries))

    def board_scores(self, boards: PinLists) -> NDArray[np.float32]:
        """The filtered mean of the pins of each board, float32 [n, P]."""
        means = 1 / np.maximum(boards.lengths, 1)
        rows = csr_matrix((means[boards.rows], boards.pins, boards.offsets), (len(boards), self.num_pins))
        linear = (rows @ self._normal.T @ self._normal).toarray()
        ideal = (rows @ diags(self._damping) @ self._right.T) @ self._right / self._damping
        return (linear + self._share * ideal).astype(np.float32)


class EaseByBoards:
    """EASE's scores of the boards that it was fitted on, from the boards' side.

    With X the saves [B, P], x its row of a board and Q = (XᵀX + λI)⁻¹, EASE scores pins outside the board by
    -(x Q) / diag Q. Since X (XᵀX + λI)⁻¹ = (XXᵀ + λI)⁻¹ X = K X, that is -(K X) / diag Q, and
    diag Q = (1 - Σ over boards X ⊙ K X) / λ; K is B x B.
    """

    def __init__(self, graph: BipartiteGraph, l2: float) -> None:
        """Invert the Gram matrix of the boards."""
        ones = np.ones(graph.num_saves, np.float32)
        self._saves = csr_matrix((ones, graph.board_pins, graph.board_offsets), (graph.num_boards, graph.num_pins))
        self._kernel = np.zeros((graph.num_boards, graph.num_boards), np.float32)
        add_gram(graph.pin_offsets, graph.pin_boards, self._kernel)
        self._kernel[np.diag_indices(graph.num_boards)] += np.float32(l2)
        assert invert(self._kernel)
        explained = np.zeros(graph.num_pins)
        for start in range(0, graph.num_boards, ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            explained += np.asarray(self._saves[part].multiply(self._kernel[part] @ self._saves).sum(axis=0))[0]
        self._diagonal = ((1 - explained) / l2).astype(np.float32)

    def chunks(self, boards: NDArray[np.int32]) -> Chunks:
        """The scores of fitted boards; meaningless at a board's own pins, which are no candidates."""
        for start in range(0, len(boards), ROWS_AT_ONCE):
            some = boards[start : start + ROWS_AT_ONCE]
            yield start, (self._kernel[some] @ self._saves / -self._diagonal).astype(np.float32)


def main() -> None:
    """Measure the methods asked for, print their figures beside the published ones, keep them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--methods", default="gfcf")
    parser.add_argument("--l2", default="", help="penalties of EASE; the best one on held-out training saves is taken")
    parser.add_argument("--pins", type=int, default=0, help="only so many pins, those of the most boards")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    train, test = published_split(chosen.dataset, chosen.pins)
    graph = graph_of(train)
    rows = [measured(name, graph, train, test, chosen) for name in chosen.methods.split(",")]
    if chosen.json:
        before = json.loads(chosen.json.read_text())["methods"] if chosen.json.exists() else []
        kept = [row for row in before if row["method"] not in chosen.methods.split(",")]
        found = {"hardware": hardware.described("numpy", "scipy", "numba"), "methods": kept + rows}
        chosen.json.write_text(json.dumps(found, indent=1) + "\n")


def measured(
    name: str, graph: BipartiteGraph, train: HeldOutPairs, test: HeldOutPairs, chosen: argparse.Namespace
) -> dict[str, object]:
    """Recall@20 and NDCG@20 of a method with their intervals, beside the published figures."""
    began, cpu = time.perf_counter(), hardware.cpu_seconds()
    grid = [float(value) for value in chosen.l2.split(",") if value] or [500.0]
    l2 = tuned_penalty(train, grid) if name != "gfcf" and len(grid) > 1 else grid[0]
    view = board_view(test, graph, EvaluateSettings(max_boards=len(graph.board_offsets)))
    found = figures(scored(name, graph, view, l2), view)
    row: dict[str, object] = {
        "method": name, "pins": graph.num_pins, "boards": len(view.boards), "saves": graph.num_saves, **found,
        "published": dict(zip(("recall@20", "ndcg@20"), PUBLISHED[name], strict=True)),
        "seconds": round(time.perf_counter() - began, 1), "cpu_seconds": round(hardware.cpu_seconds() - cpu, 1),
        "peak_gib": round(hardware.peak_gib(), 2),
    }  # fmt: skip
    if name != "gfcf":
        row["l2"] = l2
    print(json.dumps(row), flush=True)
    if not chosen.pins:
        away = abs(found["recall@20"][0] - PUBLISHED[name][0])
        print(f"{name}: {away:.4f} from the published recall, {'within' if away <= TOLERANCE else 'NOT within'} 0.002")
    return row


def scored(name: str, graph: BipartiteGraph, view: BoardView, l2: float) -> Chunks:
    """The scores of the boards of a view by a method."""
    if name == "ease_by_boards":
        return EaseByBoards(graph, l2).chunks(view.boards)
    scorer: Scorer = Linear(ease_weights(graph, l2)) if name == "ease" else GraphFilter(graph)
    return board_chunks(scorer, view.pins)


def figures(chunks: Chunks, view: BoardView) -> dict[str, list[float]]:
    """The value and the ends of the interval of each figure of the board view."""
    (ranking,) = rank_chunks(chunks, [view.targets])
    averages = board_averages(view, ranking)
    sums, counts = (np.stack([getattr(average, of) for average in averages], axis=1) for of in ("sums", "counts"))
    low, high = interval(resample(sums, counts, seed=0))
    return {
        average.metric: [round(float(value), 5) for value in (average.value, low[place], high[place])]
        for place, average in enumerate(averages)
    }


def tuned_penalty(train: HeldOutPairs, grid: list[float]) -> float:
    """The penalty of the best recall on a tenth of the training saves, held out of the rest."""
    is_held = np.random.default_rng(0).random(len(train)) < TUNING_SHARE
    held, rest = (
        HeldOutPairs(*(getattr(train, name)[part] for name in ("query", "positive", "board")))
        for part in (is_held, ~is_held)
    )
    num_pins, num_boards = int(train.positive.max()) + 1, int(train.board.max()) + 1
    graph = build_graph(rest.positive, rest.board, num_pins=num_pins, num_boards=num_boards)
    view = board_view(held, graph, EvaluateSettings(max_boards=TUNING_BOARDS))
    found = {l2: figures(scored("ease", graph, view, l2), view)["recall@20"][0] for l2 in grid}
    print(f"recall@20 by penalty on held-out training saves: {found}", flush=True)
    return max(found, key=lambda l2: found[l2])


def published_split(folder: Path, num_pins: int) -> tuple[HeldOutPairs, HeldOutPairs]:
    """The training saves and the held-out saves as (no query, pin, board), of the most popular pins if asked."""
    table = pq.read_table(folder / "saves.parquet", columns=["board_id", "pin_id", "split"])
    parts = []
    for split in ("train", "test"):
        rows = table.filter(pc.equal(table["split"], split))
        board, pin = (rows[name].cast("int32").to_numpy() for name in ("board_id", "pin_id"))
        parts.append(HeldOutPairs(np.full(len(pin), -1, np.int32), pin, board))
    if not num_pins:
        return parts[0], parts[1]
    degrees = np.bincount(parts[0].positive)
    number = np.full(max(part.positive.max() for part in parts) + 1, -1, np.int32)
    number[np.argsort(-degrees, kind="stable")[:num_pins]] = np.arange(num_pins)
    kept = [(part, number[part.positive] >= 0) for part in parts]
    train, test = (HeldOutPairs(part.query[some], number[part.positive[some]], part.board[some]) for part, some in kept)
    return train, test


def graph_of(train: HeldOutPairs) -> BipartiteGraph:
    """The graph of training saves."""
    return build_graph(
        train.positive.copy(), train.board.copy(), num_pins=int(train.positive.max()) + 1,
        num_boards=int(train.board.max()) + 1,
    )  # fmt: skip


if __name__ == "__main__":
    main()
