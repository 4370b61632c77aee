"""EASE: a linear model from the pins of a board to every pin, solved in closed form.

P pins.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.linalg import lapack

from pinsage.errors import InputError
from pinsage.evaluation.inputs import MethodInputs, MethodSettings
from pinsage.evaluation.pin_lists import PinLists
from pinsage.graph.csr import BipartiteGraph

MAX_PINS = 20_000  # the matrix is float32 [P, P]: 1.6 GB
DIRECT = 16_384  # rows
_BLOCK = 2048


class Linear:
    """Scores by a dense matrix of what each pin says of every other, float32 [P, P]."""

    def __init__(self, weights: NDArray[np.float32]) -> None:
        self._weights, self.num_pins = weights, len(weights)

    def scores(self, queries: NDArray[np.int32]) -> NDArray[np.float32]:
        """Rows of the matrix, float32 [n, P]."""
        return self._weights[queries]

    def board_scores(self, boards: PinLists) -> NDArray[np.float32]:
        """Means of the rows of each board's pins, float32 [n, P]."""
        rows = [self._weights[boards.part(board, board + 1).pins].mean(axis=0) for board in range(len(boards))]
        return np.array(rows, np.float32).reshape(len(boards), self.num_pins)


def ease(inputs: MethodInputs, settings: MethodSettings, l2: float) -> Linear:
    """EASE with a penalty of `l2`."""
    return Linear(ease_weights(inputs.graph, l2))


def ease_weights(graph: BipartiteGraph, l2: float) -> NDArray[np.float32]:
    """The weights that predict each pin of a board best from its other pins, float32 [P, P].

    In place from the Gram matrix to the result, so that memory for one matrix is enough.

    Raises:
        InputError: `l2` is too small for the matrix to be inverted in float32.

    Source: Steck, WWW 2019: B = I - (G + λI)⁻¹ diag((G + λI)⁻¹)⁻¹.
    """
    weights = np.zeros((graph.num_pins, graph.num_pins), np.float32)  # [P, P]
    add_gram(graph.board_offsets, graph.board_pins, weights)
    weights[np.diag_indices(len(weights))] += np.float32(l2)
    if not invert(weights):
        raise InputError(f"EASE cannot invert its matrix with a penalty of {l2:g}. Take a larger one.")
    diagonal = weights.diagonal().copy()
    weights /= -diagonal
    np.fill_diagonal(weights, 0)
    return weights


def invert(matrix: NDArray[np.float32]) -> bool:
    """Replace a symmetric positive definite matrix by its inverse, in place; False where it is none.

    Large ones by halves, [[A, B], [Bᵀ, C]], with the Schur complement C - Bᵀ A⁻¹ B: LAPACK's routines crash on arrays
    of more than 2 GB.
    """
    if len(matrix) <= DIRECT:
        return _invert_directly(matrix)
    half = len(matrix) // 2
    above, corner, below = matrix[:half, :half], matrix[:half, half:], matrix[half:, half:]
    if not invert(above):
        return False
    solved = above @ corner  # A⁻¹ B
    below -= corner.T @ solved
    if not invert(below):
        return False
    np.matmul(solved, below, out=corner)
    above += corner @ solved.T
    np.negative(corner, out=corner)
    matrix[half:, :half] = corner.T
    return True


def _invert_directly(matrix: NDArray[np.float32]) -> bool:
    """LAPACK counts in columns: the transpose of a symmetric array is the same matrix, laid out as LAPACK wants it."""
    packed = np.ascontiguousarray(matrix)  # which is the matrix itself, unless it is a half of a larger one
    _, failed = lapack.spotrf(packed.T, lower=1, overwrite_a=1)
    if not failed:
        _, failed = lapack.spotri(packed.T, lower=1, overwrite_c=1)
    if failed:
        return False
    _mirror(packed)
    if packed is not matrix:
        matrix[:] = packed
    return True


def _mirror(matrix: NDArray[np.float32]) -> None:
    """Copy the upper triangle (LAPACK's lower one) to the lower one, block by block."""
    for start in range(0, len(matrix), _BLOCK):
        end = start + _BLOCK
        matrix[end:, start:end] = matrix[start:end, end:].T
        block = matrix[start:end, start:end]
        block[:] = np.triu(block) + np.triu(block, 1).T


@njit(nogil=True, cache=True)
def add_gram(offsets: NDArray[np.int64], pins: NDArray[np.int32], gram: NDArray[np.float32]) -> None:
    """Add 1 to every two pins of a list, for every list; a sparse product would take several times the memory."""
    for board in range(len(offsets) - 1):
        own = pins[offsets[board] : offsets[board + 1]]
        for one in own:
            for other in own:
                gram[one, other] += 1
