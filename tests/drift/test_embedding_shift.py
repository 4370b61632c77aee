"""Cells, and the shift of embeddings: blind to a turn of the whole space, not to a group that moves."""

import numpy as np
import pytest
from scipy.stats import ortho_group

from pinsage.drift.cells import count_cells, fit_centers
from pinsage.drift.embeddings import embedding_shift


def groups(rng: np.random.Generator) -> np.ndarray:
    """Unit vectors of 600 pins around twelve directions, [600, 16]."""
    centers = np.repeat(rng.normal(size=(12, 16)), 50, axis=0)
    return unit(centers + 0.1 * rng.normal(size=centers.shape))


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_a_turn_of_the_space_is_no_shift():
    """Two trainings of the same may differ by a rotation or a reflection."""
    vectors = groups(np.random.default_rng(0))
    turn = ortho_group.rvs(16, random_state=1).astype(np.float32)
    assert embedding_shift(vectors, vectors @ turn) == pytest.approx(0, abs=1e-5)


def test_noise_of_single_pins_is_hardly_a_shift_and_a_group_that_moves_is():
    """The mean of a group forgives what a training does to each pin."""
    rng = np.random.default_rng(0)
    vectors = groups(rng)
    noisy = unit(vectors + 0.1 * rng.normal(size=vectors.shape))
    moved = vectors.copy()
    moved[:200] = unit(rng.normal(size=(4, 16)))[np.repeat(np.arange(4), 50)]
    assert 10 * embedding_shift(vectors, noisy) < embedding_shift(vectors, moved)


@pytest.mark.parametrize("later", [np.ones((5, 3)), np.full((5, 4), np.nan)])
def test_what_cannot_be_aligned_has_no_shift(later):
    """Embeddings of another size, and those that are not finite."""
    assert embedding_shift(np.ones((5, 4), np.float32), later.astype(np.float32)) is None


def test_no_pins_in_common_have_no_shift():
    assert embedding_shift(np.ones((0, 4), np.float32), np.ones((0, 4), np.float32)) is None


def test_every_row_that_is_asked_for_falls_into_one_cell():
    """Of two far clouds none mixes with the other; rows that are not asked for are not counted."""
    rng = np.random.default_rng(0)
    vectors = np.concatenate([rng.normal(0, 0.1, (30, 4)), rng.normal(9, 0.1, (70, 4))]).astype(np.float32)
    rows = np.arange(10, 100)
    counts = count_cells(vectors, rows, np.array([[0] * 4, [9] * 4], np.float32))
    assert counts == [20, 70]
    assert sum(count_cells(vectors, rows, fit_centers(vectors, rows))) == 90


@pytest.mark.parametrize("num", [0, 1, 5])
def test_few_vectors_or_equal_ones_have_cells_too(num):
    """No warning, no error; nothing of nothing."""
    vectors = np.ones((num, 4), np.float32)
    assert len(fit_centers(vectors, np.arange(num))) == num
