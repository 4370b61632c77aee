"""Thumbnails: small, cropped, drawn anew, and None for what is no picture."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from pinsage.report.thumbnails import Size, thumbnail

SIZE = Size(40, 50, 4000)


def encoded(image: Image.Image, kind="PNG", **options) -> bytes:
    """The bytes of an image file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(width, height) -> Image.Image:
    """A picture that no encoder can make small without loss."""
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def bytes_of(uri: str) -> bytes:
    """What a data URI holds."""
    head, _, body = uri.partition(",")
    assert head == "data:image/webp;base64"
    return base64.b64decode(body, validate=True)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("shape", [(400, 100), (100, 400), (3, 3)])
def test_a_thumbnail_has_the_asked_shape_and_fits_its_bytes(kind, shape):
    """Wide, tall or tiny, in each format."""
    content = bytes_of(thumbnail(encoded(noise(*shape), kind), SIZE))
    assert Image.open(io.BytesIO(content)).size == (40, 50)
    assert len(content) <= 4000


def test_quality_is_lowered_until_the_bytes_fit():
    """Less room, fewer bytes; no room at all, no thumbnail."""
    picture = encoded(noise(200, 200))
    roomy, tight = (len(bytes_of(thumbnail(picture, Size(80, 100, limit)))) for limit in (9000, 4000))
    assert roomy > 4000 >= tight
    assert thumbnail(picture, Size(80, 100, 100)) is None


def test_a_crop_keeps_the_middle_of_a_wide_picture():
    """Red in the middle, blue at both ends: the thumbnail is red."""
    wide = Image.new("RGB", (300, 50), "blue")
    wide.paste("red", (100, 0, 200, 50))
    pixels = np.asarray(Image.open(io.BytesIO(bytes_of(thumbnail(encoded(wide), SIZE)))))
    assert pixels[..., 0].min() > 200
    assert pixels[..., 2].max() < 60


def test_nothing_of_the_original_file_reaches_the_page():
    """Comments and trailing bytes are left behind."""
    secret = b"<script>alert(1)</script>"
    picture = encoded(noise(60, 60), "JPEG", comment=secret) + secret
    assert secret not in bytes_of(thumbnail(picture, SIZE))


@pytest.mark.parametrize("picture", [b"", b"<svg onload='x'/>", encoded(noise(60, 60))[:500]])
def test_what_is_no_picture_has_no_thumbnail(picture):
    """Empty, another format, cut short."""
    assert thumbnail(picture, SIZE) is None
