"""Small flat illustrations: a subject in a palette on a patterned ground, never drawn twice the same way."""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pinsage.datasets.demo.drawings import shapes

SIDE = 72  # pixels of a picture
_CANVAS = 2 * SIDE  # drawn twice as large, so that edges come out smooth
Ink = tuple[int, ...]
_INK, _PAPER = (38, 38, 46), (252, 250, 244)

# ground, main color, second color, accent
PALETTES = np.array(
    [
        [(247, 234, 214), (204, 92, 60), (122, 66, 48), (240, 176, 84)],  # terracotta
        [(214, 236, 230), (38, 128, 116), (16, 68, 78), (246, 196, 112)],  # teal
        [(232, 224, 246), (126, 88, 184), (66, 44, 116), (242, 150, 190)],  # violet
        [(250, 222, 224), (216, 72, 106), (124, 30, 66), (255, 190, 130)],  # rose
        [(216, 230, 248), (58, 110, 196), (24, 48, 108), (250, 206, 84)],  # blue
        [(238, 242, 206), (128, 152, 52), (70, 84, 30), (228, 118, 58)],  # olive
        [(46, 52, 72), (240, 196, 88), (150, 104, 52), (226, 98, 90)],  # night
        [(28, 66, 62), (116, 206, 176), (48, 128, 116), (242, 148, 96)],  # forest
        [(253, 238, 178), (244, 142, 46), (162, 70, 32), (64, 130, 152)],  # amber
        [(228, 230, 232), (98, 106, 118), (46, 50, 60), (210, 62, 56)],  # stone
    ],
    dtype=np.float64,
)


@dataclass(frozen=True)
class Scene:
    """The content of a picture: the drawing, the colors, and a light (0) or dark (1) ground."""

    family: int
    silhouette: int
    category: int
    palette: int
    style: float


def picture(scene: Scene, rng: np.random.Generator) -> bytes:
    """A JPEG of 72 x 72 pixels; place, size, turn, tint, pattern and grain come from `rng`."""
    colors = _colors(scene, rng)
    image = Image.new("RGB", (_CANVAS, _CANVAS), colors["g"])
    canvas = ImageDraw.Draw(image)
    _PATTERNS[rng.integers(len(_PATTERNS))](canvas, colors["h"], rng)
    turn, shift, scale = _pose(rng)
    for shape in shapes(scene.family, scene.silhouette, scene.category):
        points = [(x, y) for x, y in ((shape.points - 50) @ turn + shift).tolist()]
        if shape.width:
            canvas.line(points, fill=colors[shape.color], width=max(2, round(shape.width * scale)), joint="curve")
        else:
            canvas.polygon(points, fill=colors[shape.color])
    return _encode(image.reduce(2), rng)


def _colors(scene: Scene, rng: np.random.Generator) -> dict[str, Ink]:
    tint = rng.normal(0, 13, size=3) + 34 * (0.5 - scene.style)
    ground, main, second, accent = np.clip(PALETTES[scene.palette] + tint, 0, 255)
    rows = {"g": ground, "h": ground * 0.9 + main * 0.1, "a": main, "b": second, "c": accent}
    found = {name: tuple(int(value) for value in row) for name, row in rows.items()}
    return {**found, "w": _PAPER, "k": _INK}


def _pose(rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Draw a place for the canvas in the picture: a matrix, a shift in pixels and the scale; at times mirrored."""
    angle, scale = rng.normal(0, 0.2), rng.uniform(0.66, 1.0) * _CANVAS / 100
    mirror = np.diag([rng.choice([-1.0, 1.0]), 1.0])
    cos, sin = np.cos(angle), np.sin(angle)
    turn = mirror @ np.array([[cos, sin], [-sin, cos]]) * scale
    return turn, _CANVAS / 2 + rng.normal(0, 0.06 * _CANVAS, size=2), float(scale)


def _nothing(canvas: ImageDraw.ImageDraw, color: Ink, rng: np.random.Generator) -> None:
    pass


def _table(canvas: ImageDraw.ImageDraw, color: Ink, rng: np.random.Generator) -> None:
    canvas.rectangle([0, int(_CANVAS * rng.uniform(0.6, 0.8)), _CANVAS, _CANVAS], fill=color)


def _stripes(canvas: ImageDraw.ImageDraw, color: Ink, rng: np.random.Generator) -> None:
    step, lean = int(rng.integers(16, 30)), _CANVAS // 2
    for x in range(-_CANVAS, _CANVAS, 2 * step):
        corners = [(x, 0), (x + step, 0), (x + step + lean, _CANVAS), (x + lean, _CANVAS)]
        canvas.polygon(corners, fill=color)


def _dots(canvas: ImageDraw.ImageDraw, color: Ink, rng: np.random.Generator) -> None:
    step = int(rng.integers(20, 32))
    for x in range(step // 2, _CANVAS, step):
        for y in range(step // 2, _CANVAS, step):
            canvas.ellipse([x - 3, y - 3, x + 3, y + 3], fill=color)


def _sun(canvas: ImageDraw.ImageDraw, color: Ink, rng: np.random.Generator) -> None:
    x, y, radius = rng.uniform((0.3, 0.3, 0.36), (0.7, 0.7, 0.5)) * _CANVAS
    canvas.ellipse([x - radius, y - radius, x + radius, y + radius], fill=color)


_PATTERNS = (_nothing, _table, _stripes, _dots, _sun)


def _encode(image: Image.Image, rng: np.random.Generator) -> bytes:
    grain = rng.integers(-5, 6, size=(SIDE, SIDE, 1), dtype=np.int16)
    pixels = np.clip(np.asarray(image, dtype=np.int16) + grain, 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
