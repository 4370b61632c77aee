"""Pictures that somebody else made."""

import io
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageOps

from pinsage.features.pictures import UnreadablePictureError, decode

RNG = np.random.default_rng(0)
NOISE = Image.fromarray(RNG.integers(0, 255, (40, 60, 3), dtype=np.uint8))


def file_of(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    """The bytes of an encoded picture."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def opened(picture: bytes, *, side: int = 64, max_megapixels: float = 1.0) -> Image.Image:
    return decode(picture, side=side, max_megapixels=max_megapixels)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "JPEG"])
def test_the_four_formats_become_rgb(kind):
    """Lossless ones keep every pixel, the others their size and about their colors."""
    source = Image.linear_gradient("L").resize((60, 40)).convert("RGB")
    image = opened(file_of(source, kind, **({"lossless": True} if kind == "WEBP" else {})))
    assert (image.mode, image.size) == ("RGB", (60, 40))
    difference = np.abs(np.asarray(image).astype(int) - np.asarray(source))
    assert difference.max() <= (8 if kind == "JPEG" else 0)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK"])
def test_other_modes_become_rgb(mode):
    """Black and white, gray, palette and print colors show what Pillow shows."""
    source = NOISE.convert(mode)
    image = opened(file_of(source, "JPEG" if mode == "CMYK" else "PNG", quality=100))
    difference = np.abs(np.asarray(image).astype(int) - np.asarray(source.convert("RGB")))
    assert image.mode == "RGB"
    assert difference.mean() < 12


def test_sixteen_bits_are_scaled_not_cut():
    """A gray of 128 in the high byte stays 128."""
    gray = Image.fromarray(np.full((4, 4), 128 * 256 + 7, dtype=np.uint16))
    assert np.asarray(opened(file_of(gray))).flatten().tolist() == [128] * 48


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_parts_are_white(mode):
    """Black that nobody sees is the white of a page; half of it is gray."""
    source = Image.new("RGBA", (3, 1), (0, 0, 0, 255))
    source.putpixel((1, 0), (0, 0, 0, 0))
    if mode == "P":
        picture = file_of(source.convert("RGB").quantize(2), transparency=0)
        assert {tuple(pixel) for pixel in np.asarray(opened(picture)).reshape(-1, 3).tolist()} == {(255, 255, 255)}
        return
    source.putpixel((2, 0), (0, 0, 0, 127))
    pixels = np.asarray(opened(file_of(source.convert(mode)))).reshape(-1, 3)
    assert pixels[:2].tolist() == [[0] * 3, [255] * 3]
    assert abs(int(pixels[2, 0]) - 128) <= 1


@pytest.mark.parametrize("orientation", range(10))
def test_the_camera_s_orientation_is_applied(orientation):
    """All eight turns as Pillow itself makes them; other numbers mean upright."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = file_of(NOISE, exif=exif)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(picture)))
    assert np.array_equal(np.asarray(opened(picture)), np.asarray(expected))


def test_an_unreadable_orientation_means_upright():
    """A broken note of the camera does not cost the picture."""
    picture = file_of(NOISE, "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\x7fgarbage")
    assert opened(picture).size == (60, 40)


def test_of_an_animation_the_first_frame_counts():
    """A GIF that goes from red to blue is red."""
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    picture = file_of(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert np.asarray(opened(picture))[0, 0].tolist() == [255, 0, 0]


def test_a_large_jpeg_is_decoded_small():
    """At its own scale that is still as large as asked for."""
    image = opened(file_of(NOISE.resize((800, 640)), "JPEG"), side=64)
    assert image.size == (100, 80)


def test_too_many_pixels_are_refused_by_the_header():
    """A picture just above the cap is refused, one at the cap is read; a small file can claim any size."""
    flat = file_of(Image.new("L", (1000, 1001)))
    assert len(flat) < 20_000
    with pytest.raises(UnreadablePictureError, match="exceeds the limit"):
        opened(flat, max_megapixels=1.0)
    assert opened(flat, max_megapixels=1.001).size == (1000, 1001)


def test_the_cap_holds_for_every_thread():
    """A server decodes in threads: none reads a picture above its cap, and the process's own limits stay."""
    before, filters = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    pictures = [file_of(Image.new("L", (300, 200 + 200 * (number % 2)))) for number in range(400)]

    def is_refused(picture: bytes) -> bool:
        try:
            opened(picture, max_megapixels=0.1)
        except UnreadablePictureError:
            return True
        return False

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(is_refused, pictures)) == [False, True] * 200
    assert (Image.MAX_IMAGE_PIXELS, list(warnings.filters)) == (before, filters)


def test_the_cap_is_not_left_behind():
    """Pillow's own limit is the same after a picture as before, also after one that was refused."""
    before = Image.MAX_IMAGE_PIXELS
    with pytest.raises(UnreadablePictureError):
        opened(file_of(NOISE), max_megapixels=1e-6)
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "JPEG"])
def test_a_picture_that_was_cut_short_is_refused(kind):
    """A half download is no picture, though Pillow could show its upper half."""
    picture = file_of(NOISE.resize((300, 300)), kind)
    with pytest.raises(UnreadablePictureError):
        opened(picture[: len(picture) // 2])


@pytest.mark.parametrize("picture", [b"", b"<svg/>", b"GIF89a", file_of(NOISE, "BMP"), file_of(NOISE, "TIFF")])
def test_other_bytes_are_named_as_such(picture):
    """Formats that are not expected are not even tried."""
    with pytest.raises(UnreadablePictureError, match="not a JPEG, PNG, WebP or GIF"):
        opened(picture)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "JPEG"])
def test_flipped_bytes_give_a_picture_or_a_reason_and_nothing_else(kind):
    """Whatever is wrong in a file, the caller sees one kind of error with a reason of one short line."""
    whole, read, reasons = file_of(NOISE, kind), 0, []
    for _ in range(150):
        picture = bytearray(whole)
        for place in RNG.integers(0, len(picture), RNG.integers(1, 9)):
            picture[place] = RNG.integers(0, 256)
        try:
            read += opened(bytes(picture)).mode == "RGB"
        except UnreadablePictureError as error:
            reasons.append(str(error))
    assert read + len(reasons) == 150
    assert reasons
    assert all(0 < len(reason) <= 200 for reason in reasons)
