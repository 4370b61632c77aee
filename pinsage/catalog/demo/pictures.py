"""Small flat illustrations: a subject in one of a few palettes, never drawn twice the same way."""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

Color = tuple[int, int, int]
Draw = ImageDraw.ImageDraw

# background, main color, second color, accent
PALETTES: tuple[tuple[Color, Color, Color, Color], ...] = (
    ((246, 236, 220), (201, 92, 58), (122, 74, 48), (240, 180, 90)),
    ((224, 240, 236), (38, 122, 110), (18, 70, 78), (244, 200, 120)),
    ((236, 230, 246), (122, 84, 178), (64, 42, 110), (240, 150, 190)),
    ((250, 226, 228), (214, 70, 104), (122, 28, 62), (255, 196, 160)),
    ((222, 234, 248), (56, 106, 190), (26, 52, 110), (250, 210, 90)),
    ((242, 244, 214), (130, 150, 50), (74, 88, 30), (226, 120, 60)),
    ((44, 48, 62), (238, 196, 88), (230, 232, 238), (214, 92, 86)),
    ((28, 62, 60), (120, 206, 176), (236, 240, 222), (240, 142, 92)),
    ((252, 240, 190), (242, 142, 44), (160, 66, 30), (70, 130, 150)),
    ((232, 232, 230), (92, 98, 106), (40, 44, 50), (206, 62, 54)),
)


def _pot(d: Draw, a: Color, b: Color, c: Color) -> None:
    d.polygon([(34, 62), (94, 62), (84, 108), (44, 108)], fill=a)
    d.rectangle([30, 54, 98, 66], fill=b)
    for x, y in ((64, 18), (44, 30), (84, 30)):
        d.ellipse([x - 12, y - 12, x + 12, y + 24], fill=c)


def _pan(d: Draw, a: Color, b: Color, c: Color) -> None:
    d.rounded_rectangle([24, 56, 92, 100], 12, fill=a)
    d.rectangle([88, 64, 122, 74], fill=b)
    d.ellipse([24, 46, 92, 66], fill=b)
    d.ellipse([34, 49, 82, 63], fill=c)


def _bird(d: Draw, a: Color, b: Color, c: Color) -> None:
    d.ellipse([26, 44, 90, 96], fill=a)
    d.ellipse([70, 24, 106, 60], fill=a)
    d.polygon([(102, 38), (124, 44), (102, 52)], fill=c)
    d.polygon([(30, 64), (4, 50), (22, 86)], fill=b)
    d.ellipse([86, 36, 94, 44], fill=b)


def _crane(d: Draw, a: Color, b: Color, c: Color) -> None:
    d.rectangle([40, 20, 52, 114], fill=a)
    d.rectangle([12, 24, 120, 34], fill=a)
    d.line([(104, 34), (104, 70)], fill=b, width=4)
    d.rectangle([90, 70, 118, 92], fill=c)
    d.rectangle([24, 108, 70, 118], fill=b)


def _guitar(d: Draw, a: Color, b: Color, c: Color) -> None:
    d.ellipse([28, 66, 84, 120], fill=a)
    d.ellipse([36, 46, 80, 84], fill=a)
    d.line([(58, 70), (104, 12)], fill=b, width=9)
    d.ellipse([48, 74, 68, 94], fill=c)


def _fish(d: Draw, a: Color, b: Color, c: Color) -> None:
    d.ellipse([20, 40, 94, 90], fill=a)
    d.polygon([(86, 64), (120, 36), (120, 94)], fill=b)
    d.ellipse([34, 54, 44, 64], fill=c)
    d.arc([46, 46, 76, 86], 270, 90, fill=b, width=4)


def _button(d: Draw, a: Color, b: Color, c: Color) -> None:
    d.ellipse([20, 20, 108, 108], fill=a)
    d.ellipse([32, 32, 96, 96], outline=b, width=5)
    for x, y in ((52, 52), (76, 52), (52, 76), (76, 76)):
        d.ellipse([x - 6, y - 6, x + 6, y + 6], fill=c)


def _mountain(d: Draw, a: Color, b: Color, c: Color) -> None:
    d.polygon([(4, 112), (50, 28), (96, 112)], fill=a)
    d.polygon([(56, 112), (90, 54), (126, 112)], fill=b)
    d.polygon([(38, 50), (50, 28), (62, 50)], fill=c)
    d.ellipse([92, 14, 116, 38], fill=c)


def _tent(d: Draw, a: Color, b: Color, c: Color) -> None:
    d.polygon([(10, 106), (64, 26), (118, 106)], fill=a)
    d.polygon([(48, 106), (64, 56), (80, 106)], fill=b)
    d.line([(64, 26), (64, 12), (82, 18)], fill=c, width=5)


def _shoe(d: Draw, a: Color, b: Color, c: Color) -> None:
    d.polygon([(16, 50), (50, 50), (66, 72), (112, 82), (116, 98), (16, 98)], fill=a)
    d.rectangle([14, 96, 118, 108], fill=b)
    for x in (54, 64, 74):
        d.line([(x, 66), (x + 8, 58)], fill=c, width=4)


def _ball(d: Draw, a: Color, b: Color, c: Color) -> None:
    d.ellipse([22, 22, 106, 106], fill=a)
    d.arc([-30, 22, 54, 106], 300, 60, fill=b, width=6)
    d.arc([74, 22, 158, 106], 120, 240, fill=b, width=6)
    d.line([(22, 64), (106, 64)], fill=c, width=5)


def _cat(d: Draw, a: Color, b: Color, c: Color) -> None:
    d.polygon([(28, 52), (34, 14), (58, 38)], fill=b)
    d.polygon([(100, 52), (94, 14), (70, 38)], fill=b)
    d.ellipse([24, 30, 104, 108], fill=a)
    for x in (48, 80):
        d.ellipse([x - 7, 58, x + 7, 72], fill=c)
    d.polygon([(58, 82), (70, 82), (64, 90)], fill=b)


def _car(d: Draw, a: Color, b: Color, c: Color) -> None:
    d.rounded_rectangle([8, 58, 120, 92], 10, fill=a)
    d.polygon([(30, 60), (46, 34), (88, 34), (102, 60)], fill=b)
    for x in (34, 94):
        d.ellipse([x - 15, 78, x + 15, 108], fill=c)


def _book(d: Draw, a: Color, b: Color, c: Color) -> None:
    d.polygon([(64, 34), (14, 24), (14, 100), (64, 110)], fill=a)
    d.polygon([(64, 34), (114, 24), (114, 100), (64, 110)], fill=b)
    for y in (46, 60, 74):
        d.line([(24, y - 4), (54, y + 2)], fill=c, width=4)


def _screen(d: Draw, a: Color, b: Color, c: Color) -> None:
    d.rounded_rectangle([12, 22, 116, 88], 8, fill=a)
    d.rectangle([22, 32, 106, 78], fill=c)
    d.rectangle([56, 88, 72, 106], fill=b)
    d.rectangle([38, 104, 90, 112], fill=b)


def _boat(d: Draw, a: Color, b: Color, c: Color) -> None:
    d.polygon([(12, 82), (116, 82), (96, 110), (32, 110)], fill=a)
    d.line([(62, 14), (62, 82)], fill=b, width=6)
    d.polygon([(68, 18), (108, 72), (68, 72)], fill=c)
    d.polygon([(56, 28), (24, 72), (56, 72)], fill=b)


def _cake(d: Draw, a: Color, b: Color, c: Color) -> None:
    d.rectangle([24, 72, 104, 108], fill=a)
    d.rectangle([36, 46, 92, 72], fill=b)
    d.line([(64, 46), (64, 28)], fill=c, width=6)
    d.ellipse([58, 14, 70, 30], fill=c)


def _vase(d: Draw, a: Color, b: Color, c: Color) -> None:
    d.ellipse([34, 44, 94, 114], fill=a)
    d.rectangle([52, 26, 76, 56], fill=a)
    d.rectangle([46, 20, 82, 30], fill=b)
    d.arc([38, 56, 90, 96], 20, 160, fill=c, width=6)


def _gift(d: Draw, a: Color, b: Color, c: Color) -> None:
    d.rectangle([22, 54, 106, 112], fill=a)
    d.rectangle([16, 42, 112, 58], fill=b)
    d.rectangle([58, 42, 70, 112], fill=c)
    d.ellipse([36, 20, 64, 44], outline=c, width=6)
    d.ellipse([64, 20, 92, 44], outline=c, width=6)


def _bag(d: Draw, a: Color, b: Color, c: Color) -> None:
    d.rounded_rectangle([16, 44, 112, 110], 10, fill=a)
    d.arc([42, 20, 86, 66], 180, 360, fill=b, width=7)
    d.rectangle([16, 66, 112, 76], fill=b)
    d.rectangle([56, 62, 72, 82], fill=c)


SUBJECTS: tuple[Callable[[Draw, Color, Color, Color], None], ...] = (
    _pot, _pan, _bird, _crane, _guitar, _fish, _button, _mountain, _tent, _shoe,
    _ball, _cat, _car, _book, _screen, _boat, _cake, _vase, _gift, _bag,
)  # fmt: skip


def picture(subject: int, palette: int, rng: np.random.Generator, *, size: int = 64) -> bytes:
    """A PNG of `size` pixels square: the subject in the palette, moved, turned, scaled and tinted a little at random.

    Args:
        subject: a row of SUBJECTS. palette: a row of PALETTES.
        rng: where the small differences come from.
    """
    tint = rng.integers(-14, 15, size=3)
    ground, *colors = (tuple(int(v) for v in np.clip(np.array(color) + tint, 0, 255)) for color in PALETTES[palette])
    layer = Image.new("RGB", (128, 128), ground)
    SUBJECTS[subject](ImageDraw.Draw(layer), *colors)
    angle, scale = float(rng.normal(0, 7)), float(rng.uniform(0.85, 1.25))
    shift = rng.normal(0, 5, size=2)
    turned = layer.rotate(angle, Image.Resampling.BILINEAR, translate=(int(shift[0]), int(shift[1])), fillcolor=ground)
    half = 64 / scale
    box = (round(64 - half), round(64 - half), round(64 + half), round(64 + half))
    small = turned.resize((size, size), Image.Resampling.BILINEAR, box=_inside(box))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _inside(box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    return max(box[0], 0), max(box[1], 0), min(box[2], 128), min(box[3], 128)
