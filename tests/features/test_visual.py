"""The choice of the encoder, and pictures through it."""

import io
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pinsage.errors import PinSageError, SettingsError
from pinsage.features.visual import encode_pictures, encoder_identity, picture_encoder
from pinsage.settings.schema import Settings, VisualSettings


def png(color: str) -> bytes:
    """A small picture of one color."""
    buffer = io.BytesIO()
    Image.new("RGB", (9, 9), color).save(buffer, "PNG")
    return buffer.getvalue()


def with_weights(path) -> Settings:
    return Settings(visual=VisualSettings(encoder="vgg16", weights=str(path)))


def test_the_default_encoder_needs_no_file_and_no_torch():
    """Choosing and naming the descriptor loads neither torch nor gensim."""
    program = (
        "import sys; from pinsage.features.visual import *; from pinsage.settings.schema import *;"
        "picture_encoder(VisualSettings()), encoder_identity(Settings(), Path());"
        "sys.exit(bool({'torch', 'gensim'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])


def test_the_identity_follows_the_weights_in_the_file(tmp_path):
    """Other bytes under the same path are another identity."""
    path = tmp_path / "vgg16.pth"
    path.write_bytes(b"first")
    assert encoder_identity(with_weights(path), path.parent) == {"weights_sha256": sha256(b"first").hexdigest()}
    path.write_bytes(b"second")
    assert encoder_identity(with_weights(path), path.parent) == {"weights_sha256": sha256(b"second").hexdigest()}


@pytest.mark.parametrize("weights", ["", "missing.pth", "."])
def test_missing_weights_are_a_settings_error(weights):
    """Before anything is keyed by them, and before anything is encoded."""
    with pytest.raises(SettingsError, match=r"visual\.weights names no file"):
        encoder_identity(with_weights(weights), Path())
    with pytest.raises(SettingsError, match=r"visual\.weights names no file"):
        picture_encoder(with_weights(weights).visual)


def test_unreadable_pictures_are_zero_rows_between_the_others():
    """Each picture keeps its row; the reason stands where the vector is missing."""
    encoder = picture_encoder(VisualSettings())
    result = encode_pictures([png("red"), b"junk", png("blue")], encoder, max_megapixels=1)
    assert [bool(fault) for fault in result.faults] == [False, True, False]
    assert result.vectors.any(axis=1).tolist() == [True, False, True]
    alone = encode_pictures([png("blue")], encoder, max_megapixels=1)
    assert np.array_equal(alone.vectors[0], result.vectors[2])


def test_nothing_readable_is_all_zero():
    """No batch is made of nothing."""
    encoder = picture_encoder(VisualSettings())
    assert not encode_pictures([b"junk"], encoder, max_megapixels=1).vectors.any()
    assert encode_pictures([], encoder, max_megapixels=1).vectors.shape == (0, encoder.dim)


def test_an_encoder_that_gives_no_numbers_is_stopped(monkeypatch):
    """NaN must not reach the cache, where it would stay."""
    encoder = picture_encoder(VisualSettings())
    monkeypatch.setattr(encoder, "encode", lambda pictures: np.full((len(pictures), encoder.dim), np.nan))
    with pytest.raises(PinSageError, match="descriptor-1 gave a vector with NaN"):
        encode_pictures([png("red")], encoder, max_megapixels=1)
