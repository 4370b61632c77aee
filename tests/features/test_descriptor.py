"""The picture encoder without weights."""

import numpy as np
import pytest
from PIL import Image

from pinsage.features.descriptor import Descriptor

ENCODER = Descriptor()
RNG = np.random.default_rng(0)


def flat(*color: int) -> np.ndarray:
    """A batch of one picture of one color."""
    return np.full((1, 64, 64, 3), color, dtype=np.uint8)


def stripes(*, down: bool) -> np.ndarray:
    """A batch of one picture with black and white stripes."""
    wave = np.where(np.arange(64) // 4 % 2, 255, 0).astype(np.uint8)
    plane = np.broadcast_to(wave[:, None] if down else wave, (64, 64))
    return np.repeat(plane[None, :, :, None], 3, axis=3)


def parts(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Histogram [N, 64], layout [N, 4, 4, 3], edges [N, 4, 4, 8]."""
    return vectors[:, :64], vectors[:, 64:112].reshape(-1, 4, 4, 3), vectors[:, 112:].reshape(-1, 4, 4, 8)


def test_every_part_has_unit_length():
    """On any picture with colors and edges, so that no part outweighs the others in a cosine."""
    vectors = ENCODER.encode(RNG.integers(0, 256, (3, 64, 64, 3), dtype=np.uint8))
    assert vectors.shape == (3, ENCODER.dim)
    assert vectors.dtype == np.float32
    for part in parts(vectors):
        np.testing.assert_allclose(np.linalg.norm(part.reshape(3, -1), axis=1), 1, rtol=1e-6)


def test_a_flat_color_is_one_bin_one_layout_and_no_edge():
    """Pure red: bin (3, 0, 0), the same in every cell, red against green positive, and a zero edge part."""
    histogram, layout, edges = parts(ENCODER.encode(flat(255, 0, 0)))
    assert np.flatnonzero(histogram[0]).tolist() == [3 * 16]
    assert np.ptp(layout, axis=(1, 2)).max() == 0
    assert layout[0, 0, 0, 1] > 0
    assert not edges.any()


def test_middle_gray_has_no_layout():
    """The origin of the color layout is gray; nothing is divided by zero."""
    _, layout, _ = parts(ENCODER.encode(flat(128, 128, 128)))
    assert not layout.any()


def test_the_color_histogram_equals_a_slow_count():
    """Square roots of the shares of the 4 x 4 x 4 colors, pixel by pixel."""
    picture = RNG.integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)
    counts = np.zeros(64)
    for red, green, blue in picture.reshape(-1, 3).tolist():
        counts[red // 64 * 16 + green // 64 * 4 + blue // 64] += 1
    np.testing.assert_allclose(parts(ENCODER.encode(picture))[0][0], np.sqrt(counts / 4096), rtol=1e-5)


def test_the_edges_equal_a_slow_vote():
    """Gradient by gradient: the strength goes to the two nearest of eight directions of the cell."""
    picture = RNG.integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)
    luma = (picture[0].astype(int) @ [77, 150, 29]) // 256
    votes = np.zeros((4, 4, 8))
    for y in range(64):
        for x in range(64):
            across = luma[y, x + 1] - luma[y, x - 1] if 0 < x < 63 else 0
            down = luma[y + 1, x] - luma[y - 1, x] if 0 < y < 63 else 0
            place = np.arctan2(down, across) / np.pi * 8 % 8
            low, strength = int(place), np.hypot(across, down)
            votes[y // 16, x // 16, low % 8] += strength * (1 - place + low)
            votes[y // 16, x // 16, (low + 1) % 8] += strength * (place - low)
    expected = np.sqrt(votes / votes.sum())
    np.testing.assert_allclose(parts(ENCODER.encode(picture))[2][0], expected, atol=1e-6)


def test_stripes_are_told_apart_by_direction_alone():
    """Lying and standing stripes share all colors and no direction."""
    lying, standing = ENCODER.encode(stripes(down=True)), ENCODER.encode(stripes(down=False))
    np.testing.assert_array_equal(parts(lying)[0], parts(standing)[0])
    assert (parts(lying)[2] * parts(standing)[2]).sum() == pytest.approx(0)


def test_where_a_color_is_shows_in_the_layout():
    """Light above dark and dark above light have opposite brightness, and equal histograms."""
    picture = np.zeros((1, 64, 64, 3), dtype=np.uint8)
    picture[:, :32] = 255
    above, below = ENCODER.encode(picture), ENCODER.encode(picture[:, ::-1])
    assert np.array_equal(parts(above)[0], parts(below)[0])
    assert np.array_equal(np.sign(parts(above)[1][0, :, :, 0]), np.sign([[1] * 4] * 2 + [[-1] * 4] * 2))
    assert np.array_equal(parts(above)[1], parts(below)[1][:, ::-1])


def test_the_bytes_do_not_depend_on_the_batch():
    """One by one or together: batch size is how, not what."""
    pictures = RNG.integers(0, 256, (9, 64, 64, 3), dtype=np.uint8)
    together = ENCODER.encode(pictures)
    assert np.array_equal(np.concatenate([ENCODER.encode(pictures[row : row + 1]) for row in range(9)]), together)
    assert np.array_equal(ENCODER.encode(pictures[::-1]), together[::-1])


def test_the_whole_picture_is_squeezed_into_the_square():
    """Both halves of a wide picture are in its pixels, also where it is smaller than the square."""
    for size in [(400, 100), (2, 1)]:
        image = Image.new("RGB", size, "white")
        image.paste("black", (0, 0, size[0] // 2, size[1]))
        pixels = ENCODER.pixels(image)
        assert pixels.shape == (64, 64, 3)
        assert (pixels[:, :32].max(), pixels[:, 32:].min()) == (0, 255)
