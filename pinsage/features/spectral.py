"""Spectral features of pins: the leading singular vectors of the normalized pin-board matrix.

Letters: P pins, B boards and after them sessions, k columns of a block, C columns of the features (`spectral.dim`).

The matrix is A = diag(pin degrees)^-a R diag(board degrees)^-b, where R is 1 where a pin is on a board: every save
counts the same, whatever `graph.edge_weights` says, so that a new pin needs nothing but the names of its boards.
Blocks stand on the side of the boards, which are fewer than the pins where there is much of both: two float32 [B, k]
are all the memory that 100 M saves take beside the graph.

Source: Halko, Martinsson and Tropp, "Finding structure with randomness", SIAM Review 2011, algorithm 4.4.
"""

import logging
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pinsage.errors import InputError
from pinsage.features.tall_blocks import WIDTH, Workers, change_basis, inner_products, sum_rows, through_pins
from pinsage.features.width import vector_width
from pinsage.graph.csr import BipartiteGraph
from pinsage.settings.schema import SpectralSettings
from pinsage.store.arrays import save_array
from pinsage.store.manifest import Facts
from pinsage.store.rows import RowFile, allocate

log = logging.getLogger(__name__)
_CHUNK_PINS = 16_384
# Float32 sums are off by about 1e-7 of the largest: a singular value below a thousandth of the largest one, whose
# square that is, cannot be told from zero.
_RANK_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Factors:
    """The leading part of the matrix.

    Attributes:
        boards: float32 [B, C]; the sum of the rows of a pin's boards, times its degree^-a, is its row of U Σ^power.
        singular_values: float64 [C], descending, 0 beyond the rank of the matrix.
        energy: the share of the matrix's squared entries that they stand for.
    """

    boards: NDArray[np.float32]
    singular_values: NDArray[np.float64]
    energy: float


def write_spectral_features(
    graph: BipartiteGraph, settings: SpectralSettings, folder: Path, *, num_threads: int = 0
) -> Facts:
    """Put `spectral.npy`, `has_saves.npy`, `boards.npy` and `singular_values.npy` into `folder`.

    The bytes are the same for any number of threads; 0 is one per core.

    Returns:
        The columns and how many of them are not zero, the iterations, the energy, the pins with saves, the seconds.
    """
    began = time.monotonic()
    with Workers(num_threads) as workers:
        factors = factorize(graph, settings, workers)
        write_pins(graph, factors.boards, settings, folder / "spectral.npy", workers)
    has_saves = graph.pin_degrees > 0
    save_array(folder / "has_saves.npy", has_saves)
    save_array(folder / "boards.npy", factors.boards)
    save_array(folder / "singular_values.npy", factors.singular_values.astype(np.float32))
    return {
        "dim": factors.boards.shape[1],
        "rank": int(np.count_nonzero(factors.singular_values)),
        "iterations": settings.iterations,
        "energy_captured": round(factors.energy, 6),
        "pins_with_saves": int(has_saves.sum()),
        "spectral_seconds": round(time.monotonic() - began, 3),
    }


def factorize(graph: BipartiteGraph, settings: SpectralSettings, workers: Workers) -> Factors:
    """Find the leading singular values and the boards' factors, by subspace iteration from a random block.

    Columns beyond the rank of the matrix are zero.
    """
    dim = vector_width(settings.dim, graph.num_pins)
    if dim == 0:
        return Factors(np.zeros((graph.num_boards, 0), np.float32), np.zeros(0), 0.0)
    pin_scale = power_of_degrees(graph.pin_degrees, -2 * settings.pin_exponent)
    board_scale = power_of_degrees(graph.board_degrees, -settings.board_exponent)[:, None]  # [B, 1]
    block = _random_block(graph.num_boards, dim + settings.oversampling, settings.seed)
    image = np.empty_like(block)
    for iteration in range(settings.iterations):
        block *= board_scale
        through_pins(graph.pin_offsets, graph.pin_boards, pin_scale, block, image, workers)
        image *= board_scale
        block, image = image, block
        _orthonormalize(block, workers)
        log.info("spectral: iteration %d of %d", iteration + 1, settings.iterations)
    block *= board_scale
    through_pins(graph.pin_offsets, graph.pin_boards, pin_scale, block, image, workers)
    values = _rayleigh_ritz(block, image, settings.power, workers)[:dim]
    factors = np.ascontiguousarray(block[:, :dim])
    _choose_signs(factors)
    energy = np.square(values).sum() / _total_energy(graph, pin_scale, board_scale[:, 0])
    return Factors(factors, values, float(energy))


def fold_in(
    board_factors: NDArray[np.float32], boards: NDArray[np.int32], settings: SpectralSettings
) -> NDArray[np.float32]:
    """Return the vector of a pin, new or old, on the boards given: float32 [C]; zero without boards.

    A pin of the graph was in sessions, too, which a new pin is not: there its vector is that of boards and sessions.

    Args:
        board_factors: float32 [B, C], the stage's `boards.npy`.
        boards: int32 [n], rows of it.
        settings: those of the stage.

    Raises:
        InputError: there is no such board.
    """
    if len(boards) and not 0 <= int(boards.min()) <= int(boards.max()) < len(board_factors):
        raise InputError(
            f"Boards {boards.min()} to {boards.max()} were asked for, but boards run from 0 to "
            f"{len(board_factors) - 1}. Take boards of the same catalog."
        )
    [vector] = _vectors(np.array([0, len(boards)]), boards, board_factors, settings)
    return np.asarray(vector)


def _random_block(num_boards: int, least: int, seed: int) -> NDArray[np.float32]:
    """Gaussian, float32 [B, k], where k is a multiple of WIDTH: columns that cost the same are put to use."""
    num_columns = -(-least // WIDTH) * WIDTH
    return np.random.default_rng(seed).standard_normal((num_boards, num_columns), dtype=np.float32)


def _orthonormalize(block: NDArray[np.float32], workers: Workers) -> None:
    """Make the columns orthonormal, those that depend on others zero."""
    values, vectors = np.linalg.eigh(inner_products(block, block, workers))  # [k], [k, k]
    # The block went through AᵀA, whose values are squares already, and its Gram matrix squares them again.
    change_basis(block, vectors * _power_of_large(values, -0.5, _RANK_TOLERANCE**2), workers)


def _rayleigh_ritz(
    block: NDArray[np.float32], image: NDArray[np.float32], power: float, workers: Workers
) -> NDArray[np.float64]:
    """Turn the block into the best singular vectors within it, and return their singular values: float64 [k].

    Args:
        block: Q, the orthonormal basis, each row scaled by its board.
        image: what `through_pins` makes of it.
        power: of the singular value that scales a column.
        workers: the threads.
    """
    product = inner_products(block, image, workers)  # Qᵀ AᵀA Q
    values, vectors = np.linalg.eigh((product + product.T) / 2)  # [k], [k, k]
    # Descending, for eigh gives them ascending.
    values, vectors = values[::-1], vectors[:, ::-1]
    change_basis(block, vectors * _power_of_large(values, (power - 1) / 2, _RANK_TOLERANCE), workers)
    return _power_of_large(values, 0.5, _RANK_TOLERANCE)


def _choose_signs(factors: NDArray[np.float32]) -> None:
    """Let the largest entry of each column be positive: a singular vector is as good as its negative."""
    high, low = factors.max(axis=0, initial=0), factors.min(axis=0, initial=0)
    factors *= np.where(high >= -low, 1, -1).astype(np.float32)


def write_pins(
    graph: BipartiteGraph, factors: NDArray[np.float32], settings: SpectralSettings, path: Path, workers: Workers
) -> None:
    """Write the vectors of all pins of a graph, some at a time: as large a table as this need never be in memory.

    Args:
        graph: pins, and R boards and sessions.
        factors: float32 [R, C], of these.
        settings: those of the decomposition that the factors come from.
        path: the `.npy` file, float32 [P, C].
        workers: the threads.
    """
    offsets, boards = np.asarray(graph.pin_offsets), np.asarray(graph.pin_boards)
    allocate(path, np.float32, (graph.num_pins, factors.shape[1]))
    file = RowFile.open(path)

    def write(first: int) -> None:
        last = min(first + _CHUNK_PINS, graph.num_pins)
        with file.open_at(first, last) as rows:
            rows.write(_vectors(offsets[first : last + 1], boards, factors, settings).data)

    workers.map(write, range(0, graph.num_pins, _CHUNK_PINS))


def _vectors(
    offsets: NDArray[np.int64], boards: NDArray[np.int32], factors: NDArray[np.float32], settings: SpectralSettings
) -> NDArray[np.float32]:
    """The vectors of the pins whose boards are given: float32 [n, C]."""
    vectors = sum_rows(offsets, boards, factors)
    if settings.unit_rows:
        lengths = np.sqrt(np.einsum("nc,nc->n", vectors, vectors, dtype=np.float64))  # [n]
        return vectors / np.where(lengths > 0, lengths, 1).astype(np.float32)[:, None]
    return vectors * power_of_degrees(np.diff(offsets), -settings.pin_exponent)[:, None]


def _total_energy(graph: BipartiteGraph, pin_scale: NDArray[np.float32], board_scale: NDArray[np.float32]) -> float:
    """The sum of the squared entries of the matrix."""
    by_board = sum_rows(np.asarray(graph.board_offsets), np.asarray(graph.board_pins), pin_scale[:, None])  # [B, 1]
    return float(by_board[:, 0].astype(np.float64) @ np.square(board_scale, dtype=np.float64))


def power_of_degrees(degrees: NDArray[np.int64], exponent: float) -> NDArray[np.float32]:
    """Degrees to a power, float32; 0 stays 0."""
    powers = np.power(degrees, exponent, out=np.zeros(len(degrees)), where=degrees > 0)
    return powers.astype(np.float32)


def _power_of_large(values: NDArray[np.float64], exponent: float, tolerance: float) -> NDArray[np.float64]:
    """Values to a power; 0 for those below a share of the largest one, which are noise."""
    return np.power(values, exponent, out=np.zeros(len(values)), where=values > tolerance * max(values.max(), 0))
