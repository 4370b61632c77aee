"""A picture in 240 numbers that need no learned weights: which colors, where they are, and where edges run.

Letters: N pictures of a batch, all 64 x 64 pixels, under a grid of 4 x 4 cells.

Everything is summed from whole numbers or in a fixed order per picture, so a picture's vector has the same bytes
whatever batch it is in.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 64
GRID = 4
ORIENTATIONS = 8
_LEVELS = 4  # of red, green and blue in the color histogram: the two highest bits
_CELL = SIDE // GRID
_STEPS = 511  # values a difference of two bytes can take
_LUMA = np.array([77, 150, 29], dtype=np.int32)  # of 256


class Descriptor:
    """The encoder that describes colors and edges; the default, as it needs no weights and no GPU.

    Differs from the paper: PinSage uses the fc6 layer of a VGG-16 (§4.1), which is our other encoder.
    """

    name = "descriptor-1"
    dim = _LEVELS**3 + 3 * GRID**2 + ORIENTATIONS * GRID**2
    side = 2 * SIDE

    def pixels(self, image: Image.Image) -> NDArray[np.uint8]:
        """The whole picture squeezed into a square: uint8 [64, 64, 3]."""
        return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX))

    def encode(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Color histogram, color layout and edge directions, each of unit length (or zero).

        Args:
            pictures: uint8 [N, 64, 64, 3], RGB.

        Returns:
            float32 [N, 240]: 64 + 48 + 128.
        """
        colors = pictures.astype(np.int32)  # [N, 64, 64, 3]
        parts = [np.sqrt(_histogram(colors)), _layout(colors), np.sqrt(_edges(colors @ _LUMA >> 8))]
        return np.concatenate([_unit(part) for part in parts], axis=1).astype(np.float32)


def _histogram(colors: NDArray[np.int32]) -> NDArray[np.float64]:
    """The number of pixels of each of 4 x 4 x 4 colors: [N, 64]."""
    level = colors >> 6
    color = (level[..., 0] * _LEVELS + level[..., 1]) * _LEVELS + level[..., 2]  # [N, 64, 64]
    return _count_bins(color.reshape(len(colors), -1), None, _LEVELS**3)


def _layout(colors: NDArray[np.int32]) -> NDArray[np.float64]:
    """Brightness, red against green and yellow against blue of each cell, 0 for middle gray: [N, 48]."""
    cells = colors.reshape(len(colors), GRID, _CELL, GRID, _CELL, 3).sum(axis=(2, 4))  # [N, 4, 4, 3]
    red, green, blue = np.moveaxis(cells, -1, 0)  # [N, 4, 4] each
    luma = (cells @ _LUMA) - 128 * 256 * _CELL**2  # [N, 4, 4]
    opponents = np.stack([luma, 128 * (red - green), 64 * (red + green) - 128 * blue], axis=-1)  # [N, 4, 4, 3]
    return opponents.reshape(len(colors), -1).astype(np.float64)


def _edges(luma: NDArray[np.int32]) -> NDArray[np.float64]:
    """The strength of edges in 8 directions for each cell: [N, 128]. A step votes for its two nearest ones."""
    across, down = np.zeros_like(luma), np.zeros_like(luma)  # [N, 64, 64] each
    # Central differences; the outermost pixels have a neighbor on one side only and vote for nothing.
    across[:, :, 1:-1] = luma[:, :, 2:] - luma[:, :, :-2]
    down[:, 1:-1] = luma[:, 2:] - luma[:, :-2]
    step = (down + 255) * _STEPS + across + 255  # [N, 64, 64]
    row = np.arange(SIDE) // _CELL  # of cells, for each row of pixels: [64]
    cell = (row[:, None] * GRID + row) * ORIENTATIONS  # [64, 64]
    size = GRID**2 * ORIENTATIONS
    votes = [
        _count_bins((cell + direction[step]).reshape(len(luma), -1), strength[step].ravel(), size)
        for direction, strength in _votes()
    ]
    return votes[0] + votes[1]


@cache
def _votes() -> list[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """The two directions that every step in brightness (down, across) votes for, and how strongly each."""
    down, across = (np.mgrid[:_STEPS, :_STEPS] - 255).reshape(2, -1).astype(np.float64)
    place = np.arctan2(down, across) / np.pi % 1 * ORIENTATIONS
    lower = np.floor(place)
    strength, share = np.hypot(down, across), place - lower
    first = lower.astype(np.int64) % ORIENTATIONS
    return [(first, strength * (1 - share)), ((first + 1) % ORIENTATIONS, strength * share)]


def _count_bins(bins: NDArray[np.int64], weights: NDArray[np.float64] | None, size: int) -> NDArray[np.float64]:
    """The (weighted) number of entries of each bin in each row of `bins` [N, n]: [N, size]."""
    placed = bins + np.arange(len(bins))[:, None] * size  # a range of bins of its own for each row: [N, n]
    return np.bincount(placed.ravel(), weights, len(bins) * size).reshape(len(bins), size).astype(np.float64)


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.sqrt((rows * rows).sum(axis=1, keepdims=True))  # [N, 1]
    unit: NDArray[np.float64] = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return unit
