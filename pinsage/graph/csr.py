"""The bipartite graph of pins and boards, in compressed sparse rows both ways.

Letters: P pins, B boards, S saves.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pinsage.errors import ArtifactDamagedError
from pinsage.store.arrays import open_array

NAMES = ("pin_offsets", "pin_boards", "board_offsets", "board_pins")


@dataclass(frozen=True)
class BipartiteGraph:
    """Which boards each pin was saved to, and which pins each board holds.

    Attributes:
        pin_offsets: int64 [P+1]; the boards of pin p are `pin_boards[pin_offsets[p]:pin_offsets[p+1]]`.
        pin_boards: int32 [S], ascending within a pin.
        board_offsets: int64 [B+1]; the pins of board b are `board_pins[board_offsets[b]:board_offsets[b+1]]`.
        board_pins: int32 [S], ascending within a board.

    Source: PinSage §3.1 (the graph of pins and boards).
    """

    pin_offsets: NDArray[np.int64]
    pin_boards: NDArray[np.int32]
    board_offsets: NDArray[np.int64]
    board_pins: NDArray[np.int32]

    @classmethod
    def open(cls, folder: Path) -> "BipartiteGraph":
        """The graph that `save` wrote, as read-only memory maps.

        Raises:
            ArtifactDamagedError: a file is missing, cut short or of another type, or the rows do not add up.
        """
        dtypes = (np.int64, np.int32, np.int64, np.int32)
        arrays = [open_array(folder / f"{name}.npy", dtype, (None,)) for name, dtype in zip(NAMES, dtypes, strict=True)]
        graph = cls(*arrays)
        _check_rows(folder / "pin_offsets.npy", graph.pin_offsets, len(graph.pin_boards))
        _check_rows(folder / "board_offsets.npy", graph.board_offsets, len(graph.board_pins))
        if len(graph.pin_boards) != len(graph.board_pins):
            raise _damaged(folder, f"{len(graph.pin_boards)} saves by pin and {len(graph.board_pins)} by board")
        return graph

    def save(self, folder: Path) -> None:
        """Write the four arrays as `.npy` files into `folder`."""
        for name in NAMES:
            np.save(folder / f"{name}.npy", getattr(self, name), allow_pickle=False)

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
        raise _damaged(path, f"rows running {ends} where there are {num_saves} saves")
    if not bool(np.all(offsets[1:] >= offsets[:-1])):
        raise _damaged(path, "rows that end before they begin")


def _damaged(path: Path, fact: str) -> ArtifactDamagedError:
    return ArtifactDamagedError(f"{path} holds {fact}. Delete the artifact's folder; the next run makes it again.")
