"""Spectral features against dense and sparse singular value decompositions, and in worlds solvable by hand."""

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.linalg import svds

from pinsage.errors import InputError
from pinsage.features import spectral, tall_blocks
from pinsage.features.spectral import factorize, fold_in, write_spectral_features
from pinsage.features.tall_blocks import Workers
from pinsage.graph.build import build_graph
from pinsage.graph.csr import BipartiteGraph
from pinsage.settings.schema import SpectralSettings


def graph_of(dense: np.ndarray) -> BipartiteGraph:
    """The graph whose saves are the true entries of [P, B]."""
    pins, boards = (column.astype(np.int32) for column in np.nonzero(dense))
    return build_graph(pins, boards, num_pins=dense.shape[0], num_boards=dense.shape[1])


def random_saves(pins: int = 60, boards: int = 40, seed: int = 0) -> np.ndarray:
    """Saves of popular and rare pins; pin 3 and board 5 have none."""
    rng = np.random.default_rng(seed)
    dense = rng.random((pins, boards)) < rng.random((pins, 1)) ** 2 * 0.8 + 0.05
    dense[3], dense[:, 5] = False, False
    return dense


EVEN = {"pin_exponent": 0.5}  # the singular values are at most 1, and often known


def normalized(dense: np.ndarray, pin_exponent: float = 0.5, board_exponent: float = 0.5) -> np.ndarray:
    """The matrix that is factorized, the obvious way."""
    pins, boards = dense.sum(axis=1, keepdims=True), dense.sum(axis=0, keepdims=True)
    return dense / np.maximum(pins, 1.0) ** pin_exponent / np.maximum(boards, 1.0) ** board_exponent


def factors_of(graph: BipartiteGraph, **settings):
    with Workers(1) as workers:
        return factorize(graph, SpectralSettings(**EVEN | settings), workers)


def written(folder, graph: BipartiteGraph, num_threads: int = 1, **settings) -> dict[str, np.ndarray]:
    """The arrays that are written, by name."""
    folder.mkdir()
    write_spectral_features(graph, SpectralSettings(**EVEN | settings), folder, num_threads=num_threads)
    return {path.stem: np.load(path) for path in folder.iterdir()}


@pytest.mark.parametrize(("pin_exponent", "board_exponent"), [(0.5, 0.5), (0, 0), (0.3, 1)])
def test_the_vectors_are_those_of_a_dense_decomposition(tmp_path, pin_exponent, board_exponent):
    """The slow twin: singular values to 1e-3, the pins' vectors to 1e-3 up to their sign."""
    dense, exponents = random_saves(), {"pin_exponent": pin_exponent, "board_exponent": board_exponent}
    arrays = written(tmp_path / "out", graph_of(dense), dim=4, iterations=40, unit_rows=False, power=1, **exponents)
    left, values, _ = np.linalg.svd(normalized(dense, **exponents), full_matrices=False)
    np.testing.assert_allclose(arrays["singular_values"], values[:4], rtol=1e-3)
    expected = left[:, :4] * values[:4]
    expected *= np.sign((expected * arrays["spectral"]).sum(axis=0))
    np.testing.assert_allclose(arrays["spectral"], expected, atol=1e-3)


def test_a_wide_block_spans_the_subspace_of_a_dense_decomposition(tmp_path):
    """The projections on the pins' subspace agree; there, vectors of near values may be mixed."""
    dense = random_saves(300, 200)
    pins = written(tmp_path / "out", graph_of(dense), dim=128, iterations=60, unit_rows=False, power=0)["spectral"]
    left = np.linalg.svd(normalized(dense), full_matrices=False)[0][:, :128]
    np.testing.assert_allclose(pins @ pins.T, left @ left.T, atol=5e-3)


@pytest.mark.parametrize(
    ("iterations", "mean_error", "energy_share"), [(2, 0.2, 0.85), (4, 0.05, 0.95), (8, 0.01, 0.99)]
)
def test_a_few_passes_come_near_to_arpack(iterations, mean_error, energy_share):
    """Errors of the singular values, on saves with a slowly falling spectrum, by number of iterations."""
    rng = np.random.default_rng(0)
    keys = np.unique((rng.random(30_000) ** 2 * 2000).astype(int) * 900 + rng.integers(900, size=30_000))
    pins, boards = (keys // 900).astype(np.int32), (keys % 900).astype(np.int32)
    graph = build_graph(pins, boards, num_pins=2000, num_boards=900)
    entries = (graph.pin_degrees[pins] * graph.board_degrees[boards]) ** -0.5
    exact = np.sort(svds(sparse.csr_matrix((entries, (pins, boards))), k=128, return_singular_vectors=False))[::-1]
    factors = factors_of(graph, dim=128, iterations=iterations)
    assert np.mean(np.abs(factors.singular_values / exact - 1)) < mean_error
    assert energy_share < factors.energy * np.square(entries).sum() / np.square(exact).sum() <= 1 + 1e-6


@pytest.mark.parametrize("unit_rows", [True, False])
def test_folding_in_a_pin_gives_its_row(tmp_path, unit_rows):
    """Every pin by its boards alone, to 1e-5; one without boards gets zeros."""
    dense = random_saves()
    arrays = written(tmp_path / "out", graph_of(dense), dim=8, unit_rows=unit_rows)
    for pin in range(len(dense)):
        boards = np.flatnonzero(dense[pin]).astype(np.int32)
        vector = fold_in(arrays["boards"], boards, SpectralSettings(unit_rows=unit_rows, **EVEN))
        np.testing.assert_allclose(vector, arrays["spectral"][pin], atol=1e-5)


def test_folding_in_on_a_board_that_does_not_exist_is_refused():
    """No reading outside the table."""
    with pytest.raises(InputError, match="run from 0 to 2"):
        fold_in(np.zeros((3, 2), np.float32), np.array([0, 3], np.int32), SpectralSettings())


def test_any_number_of_threads_writes_the_same_bytes(tmp_path, monkeypatch):
    """On chunks so small that each thread has several."""
    monkeypatch.setattr(tall_blocks, "CHUNK_ROWS", 7)
    monkeypatch.setattr(spectral, "_CHUNK_PINS", 9)
    graph = graph_of(random_saves())
    contents = []
    for num_threads in (1, 2, 5):
        written(tmp_path / str(num_threads), graph, num_threads=num_threads, dim=70)
        contents.append({path.name: path.read_bytes() for path in (tmp_path / str(num_threads)).iterdir()})
    assert contents[0] == contents[1] == contents[2]


def test_vectors_have_unit_length_and_pins_without_saves_none(tmp_path):
    """Zeros and a flag that says so; a board without saves adds nothing."""
    arrays = written(tmp_path / "out", graph_of(random_saves()), dim=8)
    lengths = np.linalg.norm(arrays["spectral"], axis=1)
    np.testing.assert_allclose(lengths, arrays["has_saves"].astype(float), atol=1e-6)
    assert np.flatnonzero(~arrays["has_saves"]).tolist() == [3]
    assert not arrays["boards"][5].any()


@pytest.mark.parametrize("power", [0, 0.5, 1])
def test_a_column_is_as_long_as_its_singular_value_to_the_power(tmp_path, power):
    """Over all pins, before their vectors are scaled to unit length."""
    arrays = written(tmp_path / "out", graph_of(random_saves()), dim=8, power=power, unit_rows=False, iterations=40)
    lengths = np.linalg.norm(arrays["spectral"], axis=0)
    np.testing.assert_allclose(lengths, arrays["singular_values"] ** power, rtol=1e-4)


def test_the_largest_entry_of_each_column_is_positive():
    """So that another seed does not turn a feature around."""
    boards = factors_of(graph_of(random_saves()), dim=8).boards
    assert (boards.max(axis=0) >= -boards.min(axis=0)).all()


def test_two_communities_fill_two_columns_and_the_rest_is_zero(tmp_path):
    """A matrix of rank 2: pins of one community have one vector, at a right angle to the other's."""
    dense = np.zeros((7, 5), bool)
    dense[:4, :2], dense[4:, 2:] = True, True
    arrays = written(tmp_path / "out", graph_of(dense), dim=128, power=0)
    np.testing.assert_allclose(arrays["singular_values"][:3], [1, 1, 0], atol=1e-5)
    assert arrays["spectral"].shape == (7, 128)
    assert not arrays["spectral"][:, 2:].any()
    cosines = arrays["spectral"] @ arrays["spectral"].T
    np.testing.assert_allclose(cosines, (dense.astype(float) @ dense.T) > 0, atol=1e-5)


@pytest.mark.parametrize(
    "dense",
    [
        np.ones((1, 1), bool),
        np.ones((3, 50), bool),  # every pin on every board, more boards than pins
        np.tile(np.eye(6, dtype=bool), (1, 3)),  # each board three times
        np.hstack([np.ones((20, 1), bool), np.eye(20, dtype=bool)]),  # a star, and boards of one pin
        np.vstack([np.ones((1, 9), bool), np.zeros((3, 9), bool)]),  # one pin on every board, the others on none
    ],
)
def test_strange_saves_give_finite_vectors_of_the_width_asked_for(tmp_path, dense):
    """Fewer pins or boards than columns, duplicates, isolated pins: no column is noise."""
    arrays = written(tmp_path / "out", graph_of(dense), dim=30, power=0, unit_rows=False)
    values = np.linalg.svd(normalized(dense), compute_uv=False)
    rank = int((values > 1e-6).sum())
    assert arrays["spectral"].shape == (len(dense), 30)
    assert np.isfinite(arrays["spectral"]).all()
    np.testing.assert_allclose(arrays["singular_values"][:rank], values[:rank], rtol=1e-4)
    assert not arrays["singular_values"][rank:].any()
    assert not arrays["spectral"][:, rank:].any()


def test_no_columns_are_made_if_none_are_wanted(tmp_path):
    """The files are there, zero columns wide."""
    arrays = written(tmp_path / "out", graph_of(random_saves()), dim=0)
    assert (arrays["spectral"].shape, arrays["boards"].shape) == ((60, 0), (40, 0))
    assert arrays["has_saves"].sum() == 59
