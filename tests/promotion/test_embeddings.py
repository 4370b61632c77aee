"""Embeddings that hold no numbers, or that all point one way, are told from healthy ones."""

import numpy as np
import pytest

from pinsage.promotion.embeddings import num_not_finite, spread


def directions(num_pins: int, dim: int = 16) -> np.ndarray:
    """Random unit vectors."""
    vectors = np.random.default_rng(0).normal(size=(num_pins, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_embeddings_that_are_no_numbers_are_counted():
    """Each once, however much of it is not finite."""
    vectors = directions(200_000, 4)  # more than are looked at together
    vectors[3, :2], vectors[-1, 0] = np.nan, np.inf
    assert (num_not_finite(vectors), num_not_finite(directions(5))) == (2, 0)


def test_even_directions_spread_by_one_and_a_single_one_by_nothing():
    """Also where it is reached but for noise."""
    assert spread(directions(5000)) == pytest.approx(1, abs=0.01)
    same = np.tile(directions(1), (100, 1))
    assert spread(same) == pytest.approx(0, abs=1e-6)
    noisy = same + 0.01 * directions(100)
    assert spread(noisy / np.linalg.norm(noisy, axis=1, keepdims=True)) < 0.01


def test_zero_vectors_spread_by_nothing():
    """A network whose units have all died answers the same for every pin."""
    assert spread(np.zeros((50, 8), np.float32)) == 0
    half = directions(1000)
    half[::2] = 0
    assert spread(half) == pytest.approx(0.25, abs=0.03)
    assert spread(directions(1)) == 1
