"""Small worlds of saves, and slow dense formulas beside them."""

import numpy as np

from pinsage.evaluation.inputs import MethodInputs, MethodSettings
from pinsage.features.matrix import FeatureMatrix
from pinsage.graph.build import build_graph
from pinsage.pairs.pairs import HeldOutPairs, Pairs
from pinsage.settings.schema import EvaluateSettings, ModelSettings, TrainSettings

PLAN = MethodSettings(
    ModelSettings(hidden_dim=16, embedding_dim=8),
    TrainSettings(batch_size=16, num_negatives=8, num_threads=1, device="cpu"),
    EvaluateSettings(combined_steps=30, pixie_walks=200),
)


def graph_of(*boards, num_pins):
    """A graph whose board b holds the pins boards[b]."""
    saves = [(pin, board) for board, pins in enumerate(boards) for pin in pins]
    pins, rows = np.array(saves, np.int32).T
    graph = build_graph(pins.copy(), rows.copy(), num_pins=num_pins, num_boards=len(boards))
    for array in (graph.pin_offsets, graph.pin_boards, graph.board_offsets, graph.board_pins):
        array.flags.writeable = False  # as memory maps are
    return graph


def random_graph(num_pins=30, num_boards=20, seed=0):
    """A graph of random boards; some pins are on none."""
    rng = np.random.default_rng(seed)
    boards = [rng.choice(num_pins - 3, rng.integers(1, 9), replace=False) for _ in range(num_boards)]
    return graph_of(*boards, num_pins=num_pins)


def dense(graph):
    """The saves as a matrix of zeros and ones, float64 [P, B]."""
    saves = np.zeros((graph.num_pins, graph.num_boards))
    for board in range(graph.num_boards):
        saves[graph.board_pins[graph.board_offsets[board] : graph.board_offsets[board + 1]], board] = 1
    return saves


def held_out(query, positive, board=None):
    """Held-out pairs from lists."""
    board = [-1] * len(query) if board is None else board
    return HeldOutPairs(*(np.array(column, np.int32) for column in (query, positive, board)))


def inputs(graph, train=((), ()), **overrides):
    """Evidence without content; embeddings of one direction."""
    num = graph.num_pins
    empty = np.zeros((num, 1), np.float32)
    blocks = {"visual": empty, "has_picture": np.zeros(num, bool), "text": empty, "has_text": np.zeros(num, bool)}
    parts = {
        "embeddings": np.ones((num, 2), np.float32),
        "features": FeatureMatrix({**blocks, "log_degree": np.ones(num, np.float32)}),
        "graph": graph,
        "train": Pairs(*(np.array(side, np.int32) for side in train)),
        "validation": held_out([], []),
    }
    return MethodInputs(**{**parts, **overrides})


def two_communities(*, size=10, pictures=True, words=True):
    """Two groups of `size` pins, told apart by boards, pairs, pictures and words; boards hold 8 pins of a group."""
    rng, num = np.random.default_rng(0), 2 * size
    group = np.repeat(np.eye(2, dtype=np.float32), size, axis=0)
    content = group + rng.normal(size=(num, 2)).astype(np.float32) / 10
    blocks = {
        "visual": content * pictures, "has_picture": np.full(num, pictures),
        "text": content * words, "has_text": np.full(num, words), "log_degree": np.ones(num, np.float32),
    }  # fmt: skip
    boards = [rng.choice(size, 8, replace=False) + size * (board % 2) for board in range(size * size // 2)]
    query = np.repeat(np.arange(num), size - 1)
    positive = np.concatenate([np.setdiff1d(np.arange(size) + pin // size * size, pin) for pin in range(num)])
    return inputs(
        graph_of(*boards, num_pins=num), (query, positive), embeddings=group, features=FeatureMatrix(blocks),
        validation=held_out(query, positive),
    )  # fmt: skip
