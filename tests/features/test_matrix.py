"""The feature matrix that is never built."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinsage.errors import ArtifactDamagedError, PinSageError, UnknownPinError
from pinsage.features.matrix import FEATURE_STAGES, FeatureMatrix

NAMES = ("visual", "has_picture", "text", "has_text", "spectral", "has_saves", "log_degree")


@pytest.fixture
def folders(tmp_path):
    """Four pins as the stages publish them: pin 1 has no picture, pin 3 no words, pin 0 no saves."""
    rng = np.random.default_rng(0)
    visual, text, spectral = (rng.random((4, width), dtype=np.float32) for width in (3, 2, 2))
    visual[1], text[3], spectral[0] = 0, 0, 0
    for name, array in {
        "visual": visual, "has_picture": visual.any(axis=1), "text": text, "has_text": text.any(axis=1),
        "spectral": spectral, "has_saves": spectral.any(axis=1),
        "log_degree": np.log1p([0, 1, 2, 9]).astype(np.float32),
    }.items():  # fmt: skip
        np.save(tmp_path / f"{name}.npy", array)
    return tmp_path


def opened(folder) -> FeatureMatrix:
    return FeatureMatrix.open(dict.fromkeys(FEATURE_STAGES, folder))


def dense(folder) -> np.ndarray:
    """The whole matrix, built the obvious way."""
    columns = [np.load(folder / f"{name}.npy") for name in NAMES]
    return np.hstack([column if column.ndim == 2 else column[:, None] for column in columns]).astype(np.float32)


def test_blocks_lie_side_by_side_in_the_agreed_order(folders):
    """Names, widths and the number of columns describe what `rows` returns."""
    features = opened(folders)
    assert features.names == NAMES
    assert list(features.widths.values()) == [3, 1, 2, 1, 2, 1, 1]
    assert (features.num_pins, features.dim) == (4, 11)


def test_without_spectral_features_neither_of_their_blocks_is_there(folders):
    """Vectors of no columns: the degree already tells whether there are saves."""
    np.save(folders / "spectral.npy", np.zeros((4, 0), np.float32))
    assert opened(folders).names == ("visual", "has_picture", "text", "has_text", "log_degree")


@pytest.mark.parametrize(("name", "flag"), [("visual", "has_picture"), ("text", "has_text")])
def test_content_that_no_pin_has_is_no_block(folders, name, flag):
    """Columns of zeros are not carried through training; who asks for them hears that no pin has any."""
    np.testing.assert_array_equal(opened(folders).has_content(name), np.load(folders / f"{flag}.npy"))
    np.save(folders / f"{flag}.npy", np.zeros(4, np.bool_))
    features = opened(folders)
    assert features.names == tuple(kept for kept in NAMES if kept not in (name, flag))
    np.testing.assert_array_equal(features.has_content(name), [False] * 4)


def test_rows_come_in_the_order_asked_for_and_as_often(folders):
    """A gather from the maps equals indexing the whole matrix."""
    pins = np.array([3, 0, 1, 1, 2], dtype=np.int32)
    rows = opened(folders).rows(pins)
    assert rows.dtype == np.float32
    assert np.array_equal(rows, dense(folders)[pins])
    assert opened(folders).rows(np.array([], dtype=np.int32)).shape == (0, 11)


def test_rows_are_gathered_into_memory_that_is_given(folders):
    """The very array comes back, every value overwritten; one of another shape is refused."""
    pins, into = np.array([3, 0], dtype=np.int32), np.full((2, 11), np.nan, np.float32)
    assert opened(folders).rows(pins, into) is into
    assert np.array_equal(into, dense(folders)[pins])
    with pytest.raises(ValueError, match=r"\[2, 11\] do not fit float32 \[3, 11\]"):
        opened(folders).rows(pins, np.empty((3, 11), np.float32))


@pytest.mark.parametrize("pins", [[-1], [0, 4]])
def test_a_row_that_does_not_exist_is_refused(folders, pins):
    """No reading outside the map, and no counting from its end."""
    with pytest.raises(UnknownPinError, match="run from 0 to 3"):
        opened(folders).rows(np.array(pins, dtype=np.int32))


def test_a_part_of_the_blocks_keeps_their_order(folders):
    """`only` gives the columns of those blocks; the order of the arguments does not matter."""
    part = opened(folders).only("log_degree", "text")
    assert part.names == ("text", "log_degree")
    assert np.array_equal(part.rows(np.arange(4, dtype=np.int32)), dense(folders)[:, [4, 5, 10]])


def test_a_block_alone_is_float32_of_its_width(folders):
    """Also a block of truth values."""
    assert np.array_equal(opened(folders).block("visual"), dense(folders)[:, :3])
    assert opened(folders).block("has_picture").tolist() == [[1], [0], [1], [1]]
    assert opened(folders).block("has_picture").dtype == np.float32


def test_an_unknown_block_is_named(folders):
    """The error says which blocks there are."""
    with pytest.raises(PinSageError, match=r"'audio'.*visual, has_picture"):
        opened(folders).only("audio")


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 9), st.integers(0, 99))
def test_moments_in_chunks_are_the_moments_of_the_whole(chunk, seed):
    """Mean and standard deviation as numpy computes them at once, for any size of chunk, far from zero as well."""
    values = np.random.default_rng(seed).normal([0, 1e3, -5, 1], 1, size=(9, 4)).astype(np.float32)
    features = FeatureMatrix({"visual": values[:, :3], "text": values[:, 3:]})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pinsage.features.matrix._CHUNK_PINS", chunk)
        mean, scale = features.moments()
    np.testing.assert_allclose(mean, values.mean(axis=0, dtype=np.float64), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(scale, values.std(axis=0, dtype=np.float64), rtol=1e-5)


def test_a_constant_column_has_scale_one():
    """Zero, one and a value that binary fractions cannot hold: dividing by the scale changes nothing."""
    values = np.tile(np.array([0, 1, 0.1, 1e6 + 0.1], dtype=np.float32), (7, 1))
    mean, scale = FeatureMatrix({"visual": values}).moments()
    assert scale.tolist() == [1, 1, 1, 1]
    np.testing.assert_allclose(mean, values[0], rtol=1e-6)


def test_a_small_but_real_spread_is_not_taken_for_constant():
    """What counts is the spread against the mean, not its size."""
    _, scale = FeatureMatrix({"visual": np.array([[-1e-9], [1e-9]], dtype=np.float32)}).moments()
    np.testing.assert_allclose(scale, [1e-9], rtol=1e-5)


@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_a_feature_that_is_no_number_is_named_by_block_and_pin(poison):
    """Found while the moments are computed, before anything is trained on it."""
    text = np.zeros((5, 2), dtype=np.float32)
    text[3, 1] = poison
    with pytest.raises(PinSageError, match=f"'text' feature of pin 3 is {poison}"):
        FeatureMatrix({"visual": np.zeros((5, 2), dtype=np.float32), "text": text}).moments()


def test_blocks_of_different_catalogs_are_refused(folders):
    """Five degrees do not belong to four pins."""
    np.save(folders / "log_degree.npy", np.zeros(5, np.float32))
    with pytest.raises(ArtifactDamagedError, match="different numbers of pins"):
        opened(folders)


def test_a_block_of_another_type_is_refused():
    """Float64 would double the memory of every batch unseen."""
    with pytest.raises(ArtifactDamagedError, match="float64"):
        FeatureMatrix({"visual": np.zeros((2, 2))})


def test_no_pins_have_moments_too():
    """An empty matrix is standardized by nothing."""
    mean, scale = FeatureMatrix({"visual": np.zeros((0, 2), dtype=np.float32)}).moments()
    assert (mean.tolist(), scale.tolist()) == ([0, 0], [1, 1])


def test_opening_features_loads_neither_torch_nor_gensim():
    """The rooms that only read features stay light."""
    program = "import sys, pinsage.features.matrix; sys.exit(bool({'torch', 'gensim', 'PIL'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])
