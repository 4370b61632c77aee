"""Methods that factor the matrix of saves: SVD, ALS and BPR.

P pins, B boards.
"""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from pinsage.evaluation.baselines.similarity import Similarity
from pinsage.evaluation.inputs import MethodInputs, MethodSettings
from pinsage.graph.csr import BipartiteGraph

MAX_PINS = 1_000_000
RANKS = (32.0, 64.0, 128.0, 256.0)
NUM_FACTORS = 64
OVERSAMPLING, NUM_ITERATIONS = 32, 8


def svd(inputs: MethodInputs, settings: MethodSettings) -> Callable[[float], Similarity]:
    """Cosine of the pins' rows in a truncated SVD of the matrix whose saves are divided by both degrees' roots."""
    vectors = singular_vectors(inputs.graph, int(RANKS[-1]), settings.evaluate.seed)  # [P, rank]
    return lambda rank: Similarity(np.ascontiguousarray(vectors[:, : int(rank)]))


def als(inputs: MethodInputs, settings: MethodSettings, regularization: float) -> Similarity:
    """Cosine of the item factors of implicit alternating least squares. Source: Hu et al., ICDM 2008."""
    from implicit.cpu.als import AlternatingLeastSquares

    seed = settings.evaluate.seed
    model = AlternatingLeastSquares(
        factors=NUM_FACTORS, regularization=regularization, num_threads=1, random_state=seed
    )
    return Similarity(_fit(model, inputs.graph)[:, :NUM_FACTORS])


def bpr(inputs: MethodInputs, settings: MethodSettings, regularization: float) -> Similarity:
    """Cosine of the item factors of Bayesian personalized ranking, without their bias. Source: Rendle, UAI 2009."""
    from implicit.cpu.bpr import BayesianPersonalizedRanking

    seed = settings.evaluate.seed
    model = BayesianPersonalizedRanking(
        factors=NUM_FACTORS, regularization=regularization, num_threads=1, random_state=seed
    )
    return Similarity(_fit(model, inputs.graph)[:, :NUM_FACTORS])


def has_implicit() -> bool:
    """Return whether the package implicit is installed."""
    return find_spec("implicit") is not None


def singular_vectors(graph: BipartiteGraph, rank: int, seed: int) -> NDArray[np.float32]:
    """The left singular vectors times the singular values of D_P^-½ A D_B^-½, largest first: float32 [P, ≤ rank]."""
    saves = pin_matrix(graph)
    pins, boards = (np.maximum(degrees, 1) ** -0.5 for degrees in (graph.pin_degrees, graph.board_degrees))
    saves.data *= np.repeat(pins, graph.pin_degrees) * boards[saves.indices]
    left, values = leading_factors(saves, rank, seed)
    return np.ascontiguousarray(left * values, np.float32)


def leading_factors(matrix: Any, rank: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The left singular vectors [m, ≤ rank] and values [≤ rank] of a sparse matrix [m, n], largest first.

    By power iterations of a random block: a few products with the matrix, where Lanczos (scipy's svds) takes minutes
    for 256 factors of a million saves.

    Source: Halko, Martinsson and Tropp, SIAM Review 2011.
    """
    width = min(rank + OVERSAMPLING, *matrix.shape)
    block = matrix @ np.random.default_rng(seed).normal(size=(matrix.shape[1], width))  # [m, width]
    for _ in range(NUM_ITERATIONS):
        # Made orthonormal each time, or all columns would turn into the leading vector.
        block = matrix @ (matrix.T @ np.linalg.qr(block)[0])
    basis = np.linalg.qr(block)[0]  # [m, width]
    small = matrix.T @ basis  # [n, width]
    squares, turned = np.linalg.eigh(small.T @ small)  # [width], [width, width]
    kept = np.argsort(-squares)[: min(rank, width)]  # [≤ rank]
    return basis @ turned[:, kept], np.sqrt(np.maximum(squares[kept], 0))


def pin_matrix(graph: BipartiteGraph) -> Any:
    """The saves as a scipy matrix of ones, float64 [P, B]."""
    shape = (graph.num_pins, graph.num_boards)
    return csr_matrix((np.ones(graph.num_saves), graph.pin_boards, graph.pin_offsets), shape)


def _fit(model: Any, graph: BipartiteGraph) -> NDArray[np.float32]:
    shape = (graph.num_boards, graph.num_pins)
    ones = np.ones(graph.num_saves, np.float32)
    saves = csr_matrix((ones, graph.board_pins, graph.board_offsets), shape, copy=True)  # it refuses memory maps
    model.fit(saves, show_progress=False)
    return np.asarray(model.item_factors, np.float32)
