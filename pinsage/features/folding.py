"""Spectral features of a later graph, in the columns of an earlier one.

A decomposition of the later graph would have other columns, of which a network that was trained on the earlier ones
knows nothing. So the boards keep their factors, and only those that came later get new ones.

Letters: P pins, R boards and after them sessions, N of them new, C columns of the features.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pinsage.errors import ArtifactDamagedError
from pinsage.features.spectral import power_of_degrees, write_pins
from pinsage.features.tall_blocks import Workers, sum_rows
from pinsage.graph.csr import BipartiteGraph
from pinsage.settings.schema import SpectralSettings
from pinsage.store.arrays import open_array, save_array
from pinsage.store.manifest import Facts

_CHUNK_BOARDS = 4096


@dataclass(frozen=True)
class KnownFactors:
    """The factors that `write_spectral_features` published with an earlier graph, and whose they are in this one.

    Attributes:
        boards: float32 [R then, C].
        singular_values: float32 [C].
        rows: int32 [R], of each board and session of this graph, the row of `boards`; -1 for a new one.
    """

    boards: NDArray[np.float32]
    singular_values: NDArray[np.float32]
    rows: NDArray[np.int32]

    @classmethod
    def open(cls, folder: Path, rows: NDArray[np.int32]) -> "KnownFactors":
        """The factors in a folder of the stage featurize_saves.

        Raises:
            ArtifactDamagedError: the files are missing, do not fit each other, or lack a row that is asked for.
        """
        boards = open_array(folder / "boards.npy", np.float32, (None, None))
        values = open_array(folder / "singular_values.npy", np.float32, (boards.shape[1],))
        if int(rows.max(initial=-1)) >= len(boards):
            raise ArtifactDamagedError(
                f"{folder} has factors of {len(boards)} boards and sessions, and number {rows.max()} is asked for. "
                "Run the whole pipeline again."
            )
        return cls(boards, values, rows)


def write_folded_features(
    graph: BipartiteGraph, known: KnownFactors, settings: SpectralSettings, folder: Path, *, num_threads: int = 0
) -> Facts:
    """Put `spectral.npy`, `has_saves.npy`, `boards.npy` and `singular_values.npy` into `folder`.

    Where no board or session is new, every pin's vector is what it was, to the bit, unless its own saves changed.

    Returns:
        The columns, the boards and sessions that were known and that are new, the pins with saves, the seconds.
    """
    began = time.monotonic()
    factors = fold_boards(graph, known, settings)
    with Workers(num_threads) as workers:
        write_pins(graph, factors, settings, folder / "spectral.npy", workers)
    has_saves = graph.pin_degrees > 0
    save_array(folder / "has_saves.npy", has_saves)
    save_array(folder / "boards.npy", factors)
    save_array(folder / "singular_values.npy", known.singular_values)
    num_known = int(np.count_nonzero(known.rows >= 0))
    return {
        "dim": factors.shape[1],
        "known_boards": num_known,
        "new_boards": len(known.rows) - num_known,
        "pins_with_saves": int(has_saves.sum()),
        "spectral_seconds": round(time.monotonic() - began, 3),
    }


def fold_boards(graph: BipartiteGraph, known: KnownFactors, settings: SpectralSettings) -> NDArray[np.float32]:
    """The factors of the boards and sessions of a graph: float32 [R, C].

    A new one gets what its pins say that are on known ones; without such pins it stays zero.
    """
    factors = np.zeros((graph.num_boards, known.boards.shape[1]), np.float32)
    is_known = known.rows >= 0
    factors[is_known] = known.boards[known.rows[is_known]]
    new = np.flatnonzero(~is_known)
    # Written at the end: a new board must not depend on the chunk that another one fell into.
    chunks = [new[first : first + _CHUNK_BOARDS] for first in range(0, len(new), _CHUNK_BOARDS)]
    for chunk, folded in zip(chunks, [_fold(graph, part, factors, known, settings) for part in chunks], strict=True):
        factors[chunk] = folded
    return factors


def _fold(
    graph: BipartiteGraph,
    boards: NDArray[np.int64],
    factors: NDArray[np.float32],
    known: KnownFactors,
    settings: SpectralSettings,
) -> NDArray[np.float32]:
    """The factors of some new boards: float32 [N, C].

    With A = Dp^-a R Db^-b = U Σ Vᵀ and the factors F = Db^-b V Σ^(power-1), what a board of the earlier graph has is
    F = Db^-2b Rᵀ Dp^-2a R F Σ^-2. The same product gives the factors of a board that had no part in it.
    """
    offsets, on_boards = _rows(graph.board_offsets, graph.board_pins, boards)
    pins, places = np.unique(on_boards.astype(np.int64), return_inverse=True)
    vectors = sum_rows(*_rows(graph.pin_offsets, graph.pin_boards, pins), factors)
    vectors *= power_of_degrees(graph.pin_degrees[pins], -2 * settings.pin_exponent)[:, None]
    folded = sum_rows(offsets, places.astype(np.int32), vectors)  # [N, C]
    folded *= power_of_degrees(graph.board_degrees[boards], -2 * settings.board_exponent)[:, None]
    values = known.singular_values.astype(np.float64)  # [C], 0 beyond the rank, where there is nothing to fold
    inverse = np.divide(1, values**2, out=np.zeros_like(values), where=values > 0)
    return folded * inverse.astype(np.float32)


def _rows(
    offsets: NDArray[np.int64], columns: NDArray[np.int32], rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Some rows of a table of compressed rows as such a table."""
    lengths = offsets[rows + 1] - offsets[rows]
    ends = np.cumsum(lengths)
    places = np.arange(lengths.sum()) + np.repeat(offsets[rows] - (ends - lengths), lengths)
    return np.append(0, ends).astype(np.int64), np.ascontiguousarray(columns[places])
