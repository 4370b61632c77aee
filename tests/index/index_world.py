"""Vectors for the tests of the index, and small indexes of them."""

import numpy as np

from pinsage.index.build import IndexPlan
from pinsage.index.pin_index import PinIndex

PLAN = IndexPlan(num_trees=5, search_k=1000)


def unit(vectors) -> np.ndarray:
    """Rows scaled to length 1, float32."""
    vectors = np.asarray(vectors, np.float64)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def random_unit(num_pins, dim=8, seed=0) -> np.ndarray:
    """Random directions, float32 [P, d]."""
    return unit(np.random.default_rng(seed).normal(size=(num_pins, dim)))


def build(embeddings, folder, popularity=None, plan=PLAN) -> PinIndex:
    """An index in a folder, by the cosine alone unless there is popularity."""
    popularity = np.zeros(len(embeddings)) if popularity is None else popularity
    return PinIndex.build(embeddings, np.asarray(popularity, np.float32), folder, plan)
