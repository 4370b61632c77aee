"""Boards that came after the decomposition: against dense products, and in worlds solvable by hand."""

import numpy as np
import pytest

from pinsage.errors import ArtifactDamagedError
from pinsage.features import folding
from pinsage.features.folding import KnownFactors, fold_boards, write_folded_features
from pinsage.features.spectral import write_spectral_features
from pinsage.graph.build import build_graph
from pinsage.graph.csr import BipartiteGraph
from pinsage.settings.schema import SpectralSettings

SETTINGS = SpectralSettings(dim=8, iterations=20)


def graph_of(dense: np.ndarray) -> BipartiteGraph:
    """The graph whose saves are the true entries of [P, B]."""
    pins, boards = (column.astype(np.int32) for column in np.nonzero(dense))
    return build_graph(pins, boards, num_pins=dense.shape[0], num_boards=dense.shape[1])


def interests(num_pins: int = 80, num_boards: int = 40, seed: int = 0) -> np.ndarray:
    """Saves of four interests, with some of others among them."""
    rng = np.random.default_rng(seed)
    same = np.arange(num_pins)[:, None] % 4 == np.arange(num_boards) % 4
    return rng.random((num_pins, num_boards)) < np.where(same, 0.5, 0.03)


@pytest.fixture
def learned(tmp_path):
    """The folder of the decomposition of a world, and its saves."""
    dense, folder = interests(), tmp_path / "learned"
    folder.mkdir()
    write_spectral_features(graph_of(dense), SETTINGS, folder, num_threads=1)
    return folder, dense


def known(folder, rows) -> KnownFactors:
    return KnownFactors.open(folder, np.array(rows, np.int32))


def test_without_new_boards_the_bytes_are_the_same(learned, tmp_path):
    """Whatever threads there are."""
    folder, dense = learned
    (tmp_path / "out").mkdir()
    facts = write_folded_features(
        graph_of(dense), known(folder, range(40)), SETTINGS, tmp_path / "out", num_threads=2
    )  # fmt: skip
    assert (facts["known_boards"], facts["new_boards"]) == (40, 0)
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / "out" / path.name).read_bytes(), path.name


def test_boards_are_found_by_their_rows(learned):
    """In another order, the factors are in that order, too."""
    folder, dense = learned
    order = np.random.default_rng(1).permutation(40)
    factors = fold_boards(graph_of(dense[:, order]), known(folder, order), SETTINGS)
    np.testing.assert_array_equal(factors, np.load(folder / "boards.npy")[order])


@pytest.mark.parametrize("chunk", [2, 100])
def test_new_boards_have_the_product_of_dense_matrices(learned, monkeypatch, chunk):
    """The slow twin: F = Db^-2b Rᵀ Dp^-2a R F Σ^-2, whatever the chunks."""
    monkeypatch.setattr(folding, "_CHUNK_BOARDS", chunk)
    folder, dense = learned
    later = np.concatenate([dense, interests(seed=5)[:, :7]], axis=1)
    factors = fold_boards(graph_of(later), known(folder, [*range(40), *[-1] * 7]), SETTINGS)
    old = np.zeros((47, 8))
    old[:40] = np.load(folder / "boards.npy")
    pins, boards = later.sum(axis=1)[:, None], later.sum(axis=0)[:, None]
    expected = later.T @ (later @ old * pins ** (-2 * SETTINGS.pin_exponent)) / boards ** (2 * SETTINGS.board_exponent)
    expected /= np.load(folder / "singular_values.npy").astype(float) ** 2
    np.testing.assert_allclose(factors[40:], expected[40:], rtol=1e-4, atol=1e-6)


def test_a_board_that_is_forgotten_gets_nearly_its_own_factors_back(learned):
    """The pins on it are on others, too, and these say what it is about."""
    folder, dense = learned
    rows = np.arange(40)
    rows[[3, 10]] = -1
    factors, own = fold_boards(graph_of(dense), known(folder, rows), SETTINGS), np.load(folder / "boards.npy")
    for board in (3, 10):
        cosine = factors[board] @ own[board] / np.linalg.norm(factors[board]) / np.linalg.norm(own[board])
        assert cosine > 0.7
        assert 0.5 < np.linalg.norm(factors[board]) / np.linalg.norm(own[board]) < 2


def test_a_board_of_new_pins_alone_says_nothing(learned):
    """Nobody knows what it is about; its pins have saves and no direction."""
    folder, dense = learned
    later = np.zeros((82, 41), bool)
    later[:80, :40], later[80:, 40] = dense, True
    factors = fold_boards(graph_of(later), known(folder, [*range(40), -1]), SETTINGS)
    assert not factors[40].any()


def test_columns_beyond_the_rank_stay_zero(tmp_path):
    """Nothing is divided by a singular value of zero."""
    dense = np.zeros((6, 4), bool)
    dense[:3, :2], dense[3:, 2:] = True, True
    write_spectral_features(graph_of(dense), SETTINGS, tmp_path, num_threads=1)
    later = np.concatenate([dense, dense[:, :1]], axis=1)
    factors = fold_boards(graph_of(later), known(tmp_path, [0, 1, 2, 3, -1]), SETTINGS)
    assert np.isfinite(factors).all()
    assert factors[4].any()
    assert not factors[:, 2:].any()


def test_factors_that_lack_a_row_are_refused(learned):
    """Before compiled code would read past their end."""
    with pytest.raises(ArtifactDamagedError, match="factors of 40 boards and sessions, and number 40 is asked for"):
        known(learned[0], [40])
