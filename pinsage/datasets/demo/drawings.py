"""The shapes in the demo's pictures: a few per subject, on a canvas of 100 x 100.

Letters of a shape: kind (E ellipse, R rectangle, P polygon, L line, A arc) and color (a main, b second, c accent,
w paper, k ink). Numbers: two corners, or the points; a line has its width first; an arc its width first and its angles
last, clockwise from the right.

The subjects of a row are sisters: one silhouette, four meanings.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

SILHOUETTES = 3

# One block per family of the vocabulary, one row per silhouette, one drawing per category.
_DRAWINGS = """
Pa 22 44 78 44 74 84 26 84|Rb 18 38 82 46|Rb 7 50 23 56|Rb 77 50 93 56|Eb 45 27 55 37|Lc 3 34 60 34 74
Pa 26 54 74 54 67 88 33 88|Rb 22 47 78 57|Ec 42 8 58 47|Pc 46 46 22 36 20 22 38 28|Pc 54 46 78 36 80 22 62 28
Ea 22 36 78 90|Ra 40 22 60 44|Rb 33 16 67 25|Lw 4 24 58 76 58|Lc 4 23 66 77 66
Pa 14 46 86 46 72 86 28 86|Ew 14 37 86 55|Lb 5 58 46 82 12|Ec 28 41 48 51

Ea 10 18 72 80|Lb 9 68 70 92 90|Ew 20 28 60 70|Ec 32 40 50 58
Ea 36 8 64 40|Ea 60 28 90 56|Ea 50 58 80 90|Ea 20 58 50 90|Ea 10 28 40 56|Eb 33 33 67 67|Ec 41 41 59 59
Ea 12 12 88 88|Ew 26 26 74 74|Pc 50 32 58 50 50 68 42 50|Ab 3 31 31 69 69 0 350
Ea 12 12 88 88|Eb 28 28 40 40|Eb 56 22 68 34|Eb 62 56 74 68|Eb 32 60 44 72|Ec 47 44 57 54

Pa 34 90 34 48 43 34 43 18 57 18 57 34 66 48 66 90|Rb 42 9 58 19|Rw 34 56 66 76|Ec 45 60 55 72
La 22 50 26 50 86|La 12 28 44 28 58 50 62|La 12 72 36 72 50 50 56|Rb 34 82 66 92|Ec 44 7 56 19
Pa 40 50 44 8 56 8 60 50|Rb 38 50 62 62|Pc 38 62 62 62 58 80 50 94 42 80
Ra 22 66 78 90|Rw 31 46 69 66|Rb 40 28 60 46|Lc 4 50 28 50 16|Ec 46 6 54 18|Lc 4 22 74 78 74

Ea 30 40 72 70|La 7 64 50 74 34 66 20|Ea 58 10 76 26|Pc 74 14 92 19 74 22|Lb 3 46 68 44 92|Lb 3 56 68 58 92|Pb 32 48 14 62 40 64
Ra 42 14 53 90|Ra 10 18 88 27|Lb 3 80 26 80 50|Rc 70 50 90 66|Rb 32 86 64 94|Rb 14 27 26 38
Pa 38 90 42 30 58 30 62 90|Rw 40 50 60 62|Rb 40 20 60 32|Pb 36 20 50 8 64 20|Pc 62 22 92 14 92 32
La 5 20 92 70 10|Lb 2 70 10 76 64|Ec 69 62 83 82|Ew 70 72 82 82|Lb 8 20 92 30 74

Ea 18 44 82 82|Ea 60 20 86 46|Pc 84 30 98 36 84 40|Eb 74 28 80 34|Pb 32 56 66 54 48 72|Pa 22 60 6 44 30 50
Pa 10 40 62 40 56 70 18 70|Pb 62 70 62 34 80 34 90 52 90 70|Rw 68 40 80 52|Eb 18 64 38 84|Eb 66 64 86 84|Ec 24 70 32 78|Ec 72 70 80 78
Pa 8 58 92 58 78 84 22 84|Rb 34 38 66 58|Rc 56 20 64 38|Ew 40 44 48 52|Ew 54 44 62 52
Ea 12 34 74 76|Pb 66 55 94 34 94 76|Ew 24 46 34 56|Ek 27 49 31 53|Ac 4 34 40 56 70 280 440|Pb 38 36 56 22 60 38

Ra 28 44 72 86|Pb 20 46 50 14 80 46|Ek 42 54 58 70|Lc 4 50 76 50 84
Ra 24 46 76 88|Pb 14 48 50 16 86 48|Rc 44 62 58 88|Rw 30 54 40 64|Rb 64 18 72 34
Pa 14 74 86 74 74 90 26 90|Lb 4 50 10 50 74|Pc 54 14 86 66 54 66|Pw 46 22 20 66 46 66
Ra 30 44 70 70|Pb 22 46 50 20 78 46|Lb 5 34 70 34 92|Lb 5 66 70 66 92|Rc 44 52 56 70|Lc 3 8 90 92 90

Ra 12 32 88 84|Lb 4 28 32 68 10|Eb 18 42 48 74|Ec 27 51 39 65|Rw 56 42 82 52|Ew 58 62 66 70|Ew 72 62 80 70
Ra 16 14 84 88|Rb 22 20 78 50|Rb 22 55 78 83|Rc 42 30 58 36|Rc 42 65 58 71
Ra 10 18 90 70|Rw 17 25 83 63|Rb 44 70 56 84|Rb 30 82 70 90|Lc 4 24 36 46 36|Lc 4 24 46 62 46
Ra 18 44 82 88|Rb 13 34 87 48|Rc 44 34 56 88|Ac 5 26 14 50 36 0 360|Ac 5 50 14 74 36 0 360

Ea 10 10 90 90|Ab 2 20 20 80 80 0 360|Ab 2 28 28 72 72 0 360|Ec 36 36 64 64|Ew 46 46 54 54
Ea 10 10 90 90|Ew 19 19 81 81|Lb 6 50 50 50 26|Lb 5 50 50 68 60|Ec 45 45 55 55
Ea 12 8 88 84|Ew 26 22 74 70|Eb 36 32 64 60|Ec 44 40 56 52|Rb 30 84 70 93
Ea 16 6 84 76|Pb 44 76 56 76 50 68|Lk 2 50 76 44 86 52 96|Ew 30 18 46 36|Lc 4 22 52 78 52

Ea 14 52 62 96|Ea 24 34 62 66|Lb 8 46 56 82 10|Ec 32 58 48 74|Pb 76 4 94 10 84 24
Pa 26 92 18 72 66 12 84 24|Pw 26 92 18 72 36 84|Pk 22 92 20 84 28 88|Pb 66 12 72 4 90 16 84 24|Lc 4 58 24 76 38
Rb 20 74 80 92|La 9 50 74 62 24|Ea 48 8 78 36|Ec 28 78 40 88|Ew 62 80 72 88
Pa 40 92 40 36 60 36 60 92|Lb 3 50 36 50 26|Pc 50 6 58 22 50 30 42 22|Lw 5 40 50 60 62|Lw 5 40 68 60 80|Rb 28 88 72 95

Pa 10 32 24 24 44 56 66 64 92 72 94 82 58 82 32 66 24 56|Pb 10 32 20 40 24 56 22 88 16 88|Lb 4 58 82 94 82|Ec 60 60 74 72|Aw 3 34 44 52 60 60 180
Pa 6 56 26 52 38 32 70 32 82 52 94 58 94 74 6 74|Rw 42 38 52 52|Rw 56 38 68 52|Eb 16 62 38 86|Eb 64 62 86 86|Ec 23 69 31 79|Ec 71 69 79 79
Pa 10 36 34 36 48 54 82 62 92 78 10 78|Rb 8 76 94 86|Lc 4 44 48 36 56|Lc 4 54 54 46 62|Pw 10 36 22 36 22 52 10 52
Pa 4 50 96 50 80 76 20 76|Lb 4 12 54 88 54|Lc 4 24 20 70 88|Ec 18 12 32 28|Rb 40 54 46 72|Rb 56 54 62 72

Ea 12 12 88 88|Ab 5 22 22 78 78 0 360|Ew 36 36 46 46|Ew 54 36 64 46|Ew 36 54 46 64|Ew 54 54 64 64|Lc 3 41 41 59 59
Eb 10 10 90 90|Ea 22 22 78 78|Ew 32 32 68 68|Ec 43 43 57 57|La 5 50 26 50 74|La 5 28 50 72 50
Ea 12 12 88 88|Ab 4 64 14 136 86 135 225|Ab 4 -36 14 36 86 -45 45|Lb 4 13 50 87 50|Lc 4 50 13 50 87
Ea 12 14 88 90|Ew 22 24 78 80|Pb 50 28 58 52 42 52|Pc 42 52 58 52 50 76|Rb 43 4 57 15

Pa 40 34 60 34 84 90 16 90|Pa 38 12 44 12 46 24 54 24 56 12 62 12 62 36 38 36|Rb 38 36 62 43|Lc 4 24 78 76 78
Pa 42 12 58 12 78 84 22 84|Rb 10 82 90 92|Pw 37 36 63 36 67 52 33 52|Pc 29 64 71 64 74 74 26 74
Pa 26 14 74 14 68 48 56 62 44 62 32 48|Ab 5 10 18 40 46 90 270|Ab 5 60 18 90 46 270 450|Rb 46 60 54 78|Rb 30 78 70 90|Pc 50 20 58 34 50 46 42 34
Pa 6 86 50 16 94 86|Pb 36 86 50 46 64 86|Lc 4 50 16 50 6 64 10|Lw 3 50 16 28 86

Ea 16 22 84 90|Ea 12 12 38 40|Ea 62 12 88 40|Ew 34 52 66 82|Ek 44 56 56 66|Ek 32 42 40 52|Ek 60 42 68 52|Lc 3 42 76 58 76
Ea 18 8 82 74|Ew 26 16 74 66|Pb 22 72 78 72 84 92 16 92|Pc 50 22 66 60 34 60|Ew 30 28 36 34|Ew 62 24 68 30
Ea 14 8 82 76|Pc 30 22 52 18 58 34 44 44 34 38|Pc 54 50 72 44 68 64 56 66|Ab 4 8 2 88 82 -60 100|Rb 36 84 62 93|Rb 46 76 52 86
Lb 4 60 76 82 88 96 76|Lc 5 84 6 52 40|Ea 12 16 80 84|Ab 3 28 18 64 82 0 360|Ab 3 40 17 52 83 0 360|Aw 3 14 36 78 64 0 360|Lc 3 22 30 70 70

Pa 12 12 34 30 66 30 88 12 84 52 50 90 16 52|Pw 22 54 40 56 50 88|Pw 78 54 60 56 50 88|Ek 31 42 40 51|Ek 60 42 69 51|Ek 45 82 55 92
Pa 14 84 50 34 86 84|Pa 22 60 50 20 78 60|Pa 30 38 50 6 70 38|Pw 38 26 50 6 62 26 50 32|Rb 44 84 56 95|Ec 34 68 40 74|Ec 56 50 62 56
Pa 4 88 42 20 78 88|Pb 48 88 72 44 96 88|Pw 31 40 42 20 54 42 42 36|Ec 74 10 90 26
Pa 34 20 66 20 80 80 20 80|Rb 14 80 86 92|Rb 30 10 70 20|Lw 3 30 34 70 46|Lw 3 26 52 74 64|Lc 3 72 74 94 60

Ra 14 34 70 70|Ea 56 22 92 58|Lb 9 88 42 90 84|Ra 18 66 30 90|Ra 52 66 64 90|Ek 76 34 82 40|Ec 62 30 74 52|Lb 4 14 40 8 60
Ra 18 44 82 88|Pw 10 48 30 20 70 20 90 48|Rb 42 60 58 88|Rc 24 56 36 68|Rc 64 56 76 68|Rb 64 12 74 28
Ra 12 32 88 86|Ab 6 34 14 66 50 180 360|Rb 24 32 31 86|Rb 69 32 76 86|Rc 44 50 56 64
Pa 12 26 84 26 84 72 66 72 66 46 32 46 32 60 12 60|Rb 8 74 92 88|Lk 3 22 60 22 74|Ec 72 34 80 44|Rb 80 40 92 52
"""  # noqa: E501


@dataclass(frozen=True)
class Shape:
    """Points float64 [N, 2] to fill, or to draw a line of `width` along if that is not 0; `color` is one letter."""

    color: str
    points: NDArray[np.float64]
    width: float = 0.0


@cache
def shapes(family: int, silhouette: int, category: int) -> tuple[Shape, ...]:
    """The shapes of the subject that stands for a silhouette in one of the four categories of a family."""
    rows = [line for line in _DRAWINGS.splitlines() if line]
    row = rows[(family * SILHOUETTES + silhouette) * 4 + category]
    return tuple(_shape(text) for text in row.split("|"))


def _shape(text: str) -> Shape:
    letters, *rest = text.split()
    kind, color = letters[0], letters[1]
    numbers = np.array(rest, dtype=np.float64)
    match kind:
        case "L":
            return Shape(color, numbers[1:].reshape(-1, 2), float(numbers[0]))
        case "A":
            return Shape(color, _ellipse(numbers[1:5], numbers[5], numbers[6]), float(numbers[0]))
        case "E":
            return Shape(color, _ellipse(numbers, 0, 360))
        case "R":
            return Shape(color, _box(numbers))
        case _:
            return Shape(color, numbers.reshape(-1, 2))


def _box(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    left, top, right, bottom = corners
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)])


def _ellipse(corners: NDArray[np.float64], start: float, end: float) -> NDArray[np.float64]:
    low, high = corners[:2], corners[2:]
    angles = np.radians(np.linspace(start, end, 25))
    return (low + high) / 2 + np.stack([np.cos(angles), np.sin(angles)], axis=1) * (high - low) / 2
