"""Products of tall, narrow matrices: what numpy gives, and the same bytes on any number of threads."""

import numpy as np
import pytest

from pinsage.features import tall_blocks
from pinsage.features.tall_blocks import WIDTH, Workers, change_basis, inner_products, sum_rows, through_pins
from pinsage.graph.build import build_graph


@pytest.fixture(params=[1, 3])
def workers(request, monkeypatch):
    """One thread or three, on chunks so small that every one of them has work and the last chunk is short."""
    monkeypatch.setattr(tall_blocks, "CHUNK_ROWS", 7)
    with Workers(request.param) as workers:
        yield workers


def block(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, columns), dtype=np.float32)


@pytest.mark.parametrize("rows", [1, 6, 7, 40])
def test_inner_products_are_those_of_float64(workers, rows):
    """To rounding, for numbers of rows that fill no group of four."""
    left, right = block(rows, 5), block(rows, 5, seed=1)
    np.testing.assert_allclose(inner_products(left, right, workers), left.T.astype(float) @ right, atol=1e-12)


def test_a_basis_is_changed_in_place(workers):
    """The product with a square matrix takes the place of the block."""
    left, basis = block(40, 5), block(5, 5, seed=1).astype(float)
    expected = left.astype(float) @ basis
    change_basis(left, basis, workers)
    np.testing.assert_allclose(left, expected, atol=1e-5)


def test_the_way_through_the_pins_is_the_product_with_the_dense_matrix(workers):
    """Rᵀ D R X, with pins and boards that have no saves, over columns of two threads."""
    rng = np.random.default_rng(0)
    dense = rng.random((30, 20)) < 0.2
    dense[3], dense[:, 4] = False, False
    pins, boards = (column.astype(np.int32) for column in np.nonzero(dense))
    graph = build_graph(pins, boards, num_pins=30, num_boards=20)
    scale, left, out = rng.random(30, dtype=np.float32), block(20, 2 * WIDTH), block(20, 2 * WIDTH, seed=1)
    through_pins(graph.pin_offsets, graph.pin_boards, scale, left, out, workers)
    np.testing.assert_allclose(out, dense.T.astype(float) @ (scale[:, None] * (dense @ left.astype(float))), atol=1e-4)


def test_rows_are_summed_by_list():
    """An empty list gives zero; a part of the lists may start anywhere."""
    table, offsets, columns = block(4, 3), np.array([1, 3, 3, 4]), np.array([9, 0, 2, 1], dtype=np.int32)
    sums = sum_rows(offsets, columns, table)
    np.testing.assert_allclose(sums, [table[0] + table[2], np.zeros(3), table[1]], atol=1e-6)
