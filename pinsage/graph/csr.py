"""The bipartite graph of pins and boards, in compressed sparse rows both ways.

Letters: P pins, B boards, S saves.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pinsage.errors import ArtifactDamagedError
from pinsage.store.arrays import open_array, save_array

NAMES = ("pin_offsets", "pin_boards", "board_offsets", "board_pins")
WEIGHTS = ("pin_weights", "board_weights")


@dataclass(frozen=True)
class BipartiteGraph:
    """The boards that each pin was saved to, and the pins on each board.

    Attributes:
        pin_offsets: int64 [P+1]; the boards of pin p are `pin_boards[pin_offsets[p]:pin_offsets[p+1]]`.
        pin_boards: int32 [S], ascending within a pin.
        board_offsets: int64 [B+1]; the pins of board b are `board_pins[board_offsets[b]:board_offsets[b+1]]`.
        board_pins: int32 [S], ascending within a board.
        pin_weights: float32 [S], positive, the weight of the save at the same place of `pin_boards`; None where all
            saves count the same.
        board_weights: float32 [S], the same beside `board_pins`.

    Source: PinSage §3.1 (the graph of pins and boards).
    """

    pin_offsets: NDArray[np.int64]
    pin_boards: NDArray[np.int32]
    board_offsets: NDArray[np.int64]
    board_pins: NDArray[np.int32]
    pin_weights: NDArray[np.float32] | None = None
    board_weights: NDArray[np.float32] | None = None

    @classmethod
    def open(cls, folder: Path) -> "BipartiteGraph":
        """The graph that `save` wrote, as read-only memory maps; its columns are not read, see `check_columns`.

        Raises:
            ArtifactDamagedError: a file is missing, cut short or of another type, or the rows do not add up.
        """
        dtypes = (np.int64, np.int32, np.int64, np.int32)
        arrays = [open_array(folder / f"{name}.npy", dtype, (None,)) for name, dtype in zip(NAMES, dtypes, strict=True)]
        graph = cls(*arrays, *_open_weights(folder, len(arrays[1])))
        # Offsets are few and checked at once; the columns are read only by those who walk.
        _check_rows(folder / "pin_offsets.npy", graph.pin_offsets, len(graph.pin_boards))
        _check_rows(folder / "board_offsets.npy", graph.board_offsets, len(graph.board_pins))
        # Both sides hold the same saves, so one that was cut short shows here.
        if len(graph.pin_boards) != len(graph.board_pins):
            raise _damage_error(folder, f"{len(graph.pin_boards)} saves by pin and {len(graph.board_pins)} by board")
        return graph

    def check_columns(self, folder: Path) -> None:
        """Make sure that compiled code can follow every edge: boards, pins and weights are within bounds.

        Reads all columns once (0.04 s for 100 M saves that are in memory), so whoever walks does this once a process.

        Args:
            folder: where the graph was opened, for the message.

        Raises:
            ArtifactDamagedError: names the file and the value.
        """
        _check_numbers(folder / "pin_boards.npy", self.pin_boards, "board", self.num_boards)
        _check_numbers(folder / "board_pins.npy", self.board_pins, "pin", self.num_pins)
        for name in WEIGHTS:
            weights = getattr(self, name)
            if weights is not None:
                _check_weights(folder / f"{name}.npy", weights)

    def save(self, folder: Path) -> None:
        """Write the arrays as `.npy` files into `folder`; no second copy is made of them."""
        for name in (*NAMES, *WEIGHTS):
            array = getattr(self, name)
            if array is not None:
                save_array(folder / f"{name}.npy", array)

    @property
    def num_pins(self) -> int:
        """P, pins with and without saves."""
        return len(self.pin_offsets) - 1

    @property
    def num_boards(self) -> int:
        """B, boards with and without saves."""
        return len(self.board_offsets) - 1

    @property
    def num_saves(self) -> int:
        """S, edges of the graph."""
        return len(self.pin_boards)

    @property
    def pin_degrees(self) -> NDArray[np.int64]:
        """Boards each pin was saved to, int64 [P]; 0 for an isolated pin."""
        return np.diff(self.pin_offsets)

    @property
    def board_degrees(self) -> NDArray[np.int64]:
        """Pins on each board, int64 [B]."""
        return np.diff(self.board_offsets)


def _check_rows(path: Path, offsets: NDArray[np.int64], num_saves: int) -> None:
    if len(offsets) == 0 or offsets[0] != 0 or offsets[-1] != num_saves:
        ends = f"from {offsets[0]} to {offsets[-1]}" if len(offsets) else "nowhere"
        raise _damage_error(path, f"rows running {ends} where there are {num_saves} saves")
    if not bool(np.all(offsets[1:] >= offsets[:-1])):
        raise _damage_error(path, "rows that end before they begin")


def _open_weights(folder: Path, num_saves: int) -> tuple[NDArray[np.float32] | None, ...]:
    paths = [folder / f"{name}.npy" for name in WEIGHTS]
    if not any(path.exists() for path in paths):
        return None, None
    return tuple(open_array(path, np.float32, (num_saves,)) for path in paths)


def _check_numbers(path: Path, column: NDArray[np.int32], what: str, count: int) -> None:
    low, high = (int(column.min()), int(column.max())) if len(column) else (0, -1)
    if low < 0 or high >= count:
        wrong = low if low < 0 else high
        raise _damage_error(path, f"the {what} {wrong} where {what}s run from 0 to {count - 1}")


def _check_weights(path: Path, weights: NDArray[np.float32]) -> None:
    low, high = (float(weights.min()), float(weights.max())) if len(weights) else (1.0, 1.0)
    if not (low > 0 and high < np.inf):  # of values that are no numbers, min and max are none either
        raise _damage_error(path, f"the weight {low if not low > 0 else high} where weights are positive numbers")


def _damage_error(path: Path, fact: str) -> ArtifactDamagedError:
    return ArtifactDamagedError(f"{path} holds {fact}. Delete the artifact's folder; the next run makes it again.")
