"""A catalog to train on: Zipf graph, neighborhoods of its walks, random features, pairs of pins that share a board.

The arrays lie in a folder that this package and peers in other Pythons open alike.
"""

from pathlib import Path

import numpy as np
from zipf_world import SAVES_PER_PIN, zipf_saves

from pinsage.features.matrix import FeatureMatrix
from pinsage.graph.build import build_graph
from pinsage.pairs.pairs import Pairs
from pinsage.settings.schema import WalkSettings
from pinsage.training.data import TrainingData
from pinsage.walks.hops import HopTables
from pinsage.walks.neighborhood import Neighborhoods, top_neighbors

NUM_PAIRS = 200_000
HARD = 50


def written_world(folder: Path, num_pins: int, *, num_features: int, num_neighbors: int) -> None:
    """Draw the world and write its arrays into `folder`."""
    boards, pins, num_boards, num_pins = zipf_saves(num_pins * SAVES_PER_PIN)
    graph = build_graph(pins, boards, num_pins=num_pins, num_boards=num_boards)
    hops, rng = HopTables.of(graph), np.random.default_rng(0)
    near = top_neighbors(hops, np.arange(num_pins, dtype=np.int32), WalkSettings(num_neighbors=num_neighbors))[0]
    places = rng.integers(len(pins) - 1, size=NUM_PAIRS)
    places = places[boards[places] == boards[places + 1]]  # neighbors in a board's row
    for name, array in {
        "neighbors": near.neighbors,
        "weights": near.weights,
        "features": rng.standard_normal((num_pins, num_features), np.float32),
        "hard": rng.integers(num_pins, size=(num_pins, HARD), dtype=np.int32),
        "query": pins[places],
        "positive": pins[places + 1],
        "saved_pins": pins,
        "saved_boards": boards,
    }.items():
        np.save(folder / f"{name}.npy", array)


def opened_world(folder: Path, num_neighbors: int | None = None) -> TrainingData:
    """The world as training data, by memory map; perhaps with the first `num_neighbors` of each neighborhood alone."""

    def opened(name: str) -> np.ndarray:  # type: ignore[type-arg]
        return np.load(folder / f"{name}.npy", mmap_mode="r")

    neighbors, weights = (np.asarray(opened(name))[:, :num_neighbors] for name in ("neighbors", "weights"))
    none = Pairs(np.empty(0, np.int32), np.empty(0, np.int32))
    return TrainingData(
        features=FeatureMatrix({"visual": opened("features")}),
        neighborhoods=Neighborhoods(np.ascontiguousarray(neighbors), np.ascontiguousarray(weights)),
        hard_negatives=np.asarray(opened("hard")),
        train=Pairs(np.array(opened("query")), np.array(opened("positive"))),
        validation=none,
    )
