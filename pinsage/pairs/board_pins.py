"""The pins that share a board, where any two of them are a training pair.

B boards, S training saves on them.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pinsage.store.row_groups import row_groups


@dataclass(frozen=True)
class BoardPins:
    """The boards with at least two training saves.

    The pins of board b are `pins[offsets[b]:offsets[b + 1]]`, each once; `offsets` is int64 [B+1], `pins` int32 [S].
    """

    offsets: NDArray[np.int64]
    pins: NDArray[np.int32]

    @classmethod
    def of(cls, boards: NDArray[np.int32], pins: NDArray[np.int32]) -> "BoardPins":
        """The boards of saves, int32 each, of which those of a board lie together; a lone save is left out."""
        begins = np.flatnonzero(np.diff(boards, prepend=-1))  # of boards
        sizes = np.diff(begins, append=len(boards))
        is_shared = sizes > 1
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes[is_shared], dtype=np.int64)])  # [B + 1]
        # No copy where every board is shared.
        return cls(offsets, pins if is_shared.all() else pins[np.repeat(is_shared, sizes)])

    @classmethod
    def read(cls, path: Path) -> "BoardPins":
        """The boards of the `saves.parquet` that the split of the pairs wrote."""
        size, start = pq.read_metadata(path).num_rows, 0
        boards, pins = np.empty(size, np.int32), np.empty(size, np.int32)
        for rows in row_groups(path, ["board", "pin"]):
            part = slice(start, start + rows.num_rows)
            boards[part], pins[part] = rows.column("board").to_numpy(), rows.column("pin").to_numpy()
            start = part.stop
        return cls.of(boards, pins)
