"""Methods that factor the matrix of saves: SVD, ALS and BPR.

P pins, B boards.
"""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import svds

from pinsage.evaluation.baselines.similarity import Similarity
from pinsage.evaluation.evidence import Evidence, Plan
from pinsage.graph.csr import BipartiteGraph

MAX_PINS = 1_000_000
RANKS = (32.0, 64.0, 128.0, 256.0)
NUM_FACTORS = 64


def svd(evidence: Evidence, plan: Plan) -> Callable[[float], Similarity]:
    """Cosine of the pins' rows in a truncated SVD of the matrix whose saves are divided by both degrees' roots."""
    vectors = singular_vectors(evidence.graph, int(RANKS[-1]), plan.evaluate.seed)  # [P, rank]
    return lambda rank: Similarity(np.ascontiguousarray(vectors[:, : int(rank)]))


def als(evidence: Evidence, plan: Plan, regularization: float) -> Similarity:
    """Cosine of the item factors of implicit alternating least squares. Source: Hu et al., ICDM 2008."""
    from implicit.cpu.als import AlternatingLeastSquares

    seed = plan.evaluate.seed
    model = AlternatingLeastSquares(
        factors=NUM_FACTORS, regularization=regularization, num_threads=1, random_state=seed
    )
    return Similarity(_fit(model, evidence.graph)[:, :NUM_FACTORS])


def bpr(evidence: Evidence, plan: Plan, regularization: float) -> Similarity:
    """Cosine of the item factors of Bayesian personalized ranking, without their bias. Source: Rendle, UAI 2009."""
    from implicit.cpu.bpr import BayesianPersonalizedRanking

    seed = plan.evaluate.seed
    model = BayesianPersonalizedRanking(
        factors=NUM_FACTORS, regularization=regularization, num_threads=1, random_state=seed
    )
    return Similarity(_fit(model, evidence.graph)[:, :NUM_FACTORS])


def has_implicit() -> bool:
    """Whether the package implicit is installed."""
    return find_spec("implicit") is not None


def singular_vectors(graph: BipartiteGraph, rank: int, seed: int) -> NDArray[np.float32]:
    """The left singular vectors times the singular values of D_P^-½ A D_B^-½, largest first: float32 [P, ≤ rank]."""
    saves = pin_matrix(graph)
    pins, boards = (np.maximum(degrees, 1) ** -0.5 for degrees in (graph.pin_degrees, graph.board_degrees))
    saves.data *= np.repeat(pins, graph.pin_degrees) * boards[saves.indices]
    start = np.random.default_rng(seed).normal(size=min(saves.shape))
    left, values, _ = svds(saves, k=min(rank, min(saves.shape) - 1), v0=start)
    return np.ascontiguousarray((left * values)[:, ::-1], np.float32)


def pin_matrix(graph: BipartiteGraph) -> Any:
    """The saves as a scipy matrix of ones, float64 [P, B]."""
    shape = (graph.num_pins, graph.num_boards)
    return csr_matrix((np.ones(graph.num_saves), graph.pin_boards, graph.pin_offsets), shape)


def _fit(model: Any, graph: BipartiteGraph) -> NDArray[np.float32]:
    shape = (graph.num_boards, graph.num_pins)
    ones = np.ones(graph.num_saves, np.float32)
    model.fit(csr_matrix((ones, graph.board_pins, graph.board_offsets), shape), show_progress=False)
    return np.asarray(model.item_factors, np.float32)
