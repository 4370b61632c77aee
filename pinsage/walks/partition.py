"""The walk stage in partitions: each worker fills its rows of three arrays on disk, the parent checks them.

Letters: P pins, T neighbors, H hard-negative candidates.
"""

import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinsage.errors import PinSageError
from pinsage.graph.csr import BipartiteGraph
from pinsage.settings import WalkSettings
from pinsage.walks.hops import HopTables
from pinsage.walks.neighborhood import counted_top_neighbors
from pinsage.walks.pagerank import counted_hard_negatives

NAMES = ("neighbors", "weights", "hard_negatives")
_PINS_AT_ONCE = 32_768  # bounds a worker's memory, whatever the size of its partition


@dataclass(frozen=True)
class Walked:
    """What one partition came to: its rows, their checksums on disk by array, and counts."""

    begin: int
    end: int
    checksums: tuple[int, ...]
    traversals: int
    neighbors: int
    full_rows: int
    hard_negatives: int


def allocate(folder: Path, num_pins: int, settings: WalkSettings) -> None:
    """Create the three `.npy` files with room for every pin; partitions fill them."""
    columns = (settings.num_neighbors, settings.num_neighbors, settings.num_hard_negatives)
    for name, dtype, width in zip(NAMES, (np.int32, np.float32, np.int32), columns, strict=True):
        np.lib.format.open_memmap(folder / f"{name}.npy", mode="w+", dtype=dtype, shape=(num_pins, width)).flush()


def ranges(num_pins: int, count: int) -> list[tuple[int, int]]:
    """`count` runs of rows of nearly equal length that cover all pins; fewer where there are fewer pins."""
    ends = np.linspace(0, num_pins, max(1, min(count, num_pins)) + 1).astype(int).tolist()
    return list(pairwise(ends))


def walk_partition(graph_folder: Path, folder: Path, begin: int, end: int, settings: WalkSettings) -> Walked:
    """Walk from the pins [begin, end) and write their rows into the arrays below `folder`.

    Doing it again writes the same bytes, so an attempt that outlived its worker does no harm.

    Raises:
        ArtifactDamagedError: the graph cannot be opened.
    """
    graph, parts = _graph(graph_folder), []
    for first in range(begin, end, _PINS_AT_ONCE):
        pins = np.arange(first, min(first + _PINS_AT_ONCE, end), dtype=np.int32)
        parts.append(_walk(graph, pins, folder, settings))
    checksums = tuple(_checksum(folder / f"{name}.npy", begin, end) for name in NAMES)
    totals = np.array(parts, np.int64).reshape(-1, 4).sum(axis=0).tolist()
    return Walked(begin, end, checksums, *totals)


def check_coverage(folder: Path, walked: Sequence[Walked], num_pins: int) -> None:
    """Check that the partitions cover every pin once, and that the rows on disk are those the workers wrote.

    Raises:
        PinSageError: rows are missing, doubled, or differ from what a worker read back after writing.
    """
    expected = 0
    for part in walked:
        if part.begin != expected:
            raise PinSageError(f"Rows {expected} to {part.begin} of {folder} were not walked. Run the stage again.")
        expected = part.end
        if part.checksums != tuple(_checksum(folder / f"{name}.npy", part.begin, part.end) for name in NAMES):
            raise PinSageError(
                f"Rows {part.begin} to {part.end} in {folder} are not those its worker wrote. "
                "Check that all workers share one file system and run the stage again."
            )
    if expected != num_pins:
        raise PinSageError(f"{expected} of {num_pins} rows of {folder} were walked. Run the stage again.")


@lru_cache(maxsize=1)
def _graph(folder: Path) -> HopTables:
    return HopTables.of(BipartiteGraph.open(folder))


def _walk(graph: HopTables, pins: NDArray[np.int32], folder: Path, settings: WalkSettings) -> list[int]:
    near, traversals = counted_top_neighbors(graph, pins, settings)
    hard, more = counted_hard_negatives(graph, pins, near.neighbors, settings)
    for name, rows in zip(NAMES, (near.neighbors, near.weights, hard), strict=True):
        _write_rows(folder / f"{name}.npy", int(pins[0]), rows)
    real = np.count_nonzero(near.weights, axis=1)
    full = int(np.count_nonzero(real == settings.num_neighbors))
    return [traversals + more, int(real.sum()), full, int(np.count_nonzero(hard >= 0))]


def _write_rows(path: Path, begin: int, rows: NDArray[Any]) -> None:
    # Ordinary writes, not a memory map: a full disk is an error then (a map would kill the worker with SIGBUS), and on
    # a network file system two hosts may write into one page.
    header = _header_bytes(path)
    with path.open("r+b") as file:
        file.seek(header + begin * rows.dtype.itemsize * rows.shape[1])
        file.write(rows.tobytes())
        file.flush()
        os.fsync(file.fileno())


def _checksum(path: Path, begin: int, end: int) -> int:
    rows = np.lib.format.open_memmap(path, mode="r")
    checksum = 0
    for first in range(begin, end, _PINS_AT_ONCE):
        checksum = zlib.crc32(rows[first : min(first + _PINS_AT_ONCE, end)].tobytes(), checksum)
    return checksum


def _header_bytes(path: Path) -> int:
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise PinSageError(f"{path} is .npy version {version}, not (1, 0). Run the stage again.")
        np.lib.format.read_array_header_1_0(file)
        return file.tell()
