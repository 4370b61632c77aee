"""The synthetic world of the data-side benchmarks: pins and boards whose degrees follow power laws.

Ten saves a pin and fifty a board on average, so 1e8 saves are 10 M pins and 2 M boards. Drawn with replacement, a few
percent of the saves repeat; `zipf_saves` drops the repeated ones.

Letters: P pins, B boards, S saves.
"""

import numpy as np
from numpy.typing import NDArray

SAVES_PER_PIN, SAVES_PER_BOARD = 10, 50
PIN_EXPONENT, BOARD_EXPONENT = 0.6, 0.5  # of the Zipf law: rank r is drawn with probability ~ r ** -exponent


def zipf_saves(num_saves: int, seed: int = 0) -> tuple[NDArray[np.int32], NDArray[np.int32], int, int]:
    """Unique saves in ascending order of board and pin.

    Returns:
        boards int32 [S], pins int32 [S], B, P; S is a few percent less than `num_saves`.
    """
    rng, num_pins, num_boards = np.random.default_rng(seed), num_saves // SAVES_PER_PIN, num_saves // SAVES_PER_BOARD
    keys = _zipf(rng, num_boards, num_saves, BOARD_EXPONENT).astype(np.int64) * num_pins
    keys += _zipf(rng, num_pins, num_saves, PIN_EXPONENT)
    keys.sort()
    keys = keys[np.append(True, keys[1:] != keys[:-1])]
    return (keys // num_pins).astype(np.int32), (keys % num_pins).astype(np.int32), num_boards, num_pins


def _zipf(rng: np.random.Generator, count: int, size: int, exponent: float) -> NDArray[np.int32]:
    power = 1 - exponent
    ranks = ((count**power - 1) * rng.random(size) + 1) ** (1 / power) - 1
    return rng.permutation(count).astype(np.int32)[np.minimum(ranks.astype(np.int64), count - 1)]
