"""The walk stage in partitions: each worker makes the rows of its pins, the parent sees that all are there.

Letters: P pins, T neighbors, H hard-negative candidates.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinsage.cluster.exchange import Rows, StagedFiles
from pinsage.errors import PinSageError, UnknownPinError
from pinsage.settings.schema import WalkSettings
from pinsage.store import rows
from pinsage.store.rows import Written
from pinsage.walks.hops import HopTables
from pinsage.walks.neighborhood import top_neighbors
from pinsage.walks.pagerank import hard_negatives

NAMES = ("neighbors", "weights", "hard_negatives")
PINS_PER_PART = 16_384  # a few seconds of work: what a killed worker loses, and how often progress is told
PARTS_PER_THREAD = 8  # at least, so that the last parts end at about the same time
_PINS_AT_ONCE = 32_768  # bounds a worker's memory, whatever the size of its partition
_OPENING = threading.Lock()


@dataclass(frozen=True)
class PartitionResult:
    """The result of one partition: the rows written, counts, and the seconds of a worker's thread."""

    written: Written
    num_hops: int
    neighbors: int
    full_rows: int
    hard_negatives: int
    preparing_s: float = field(compare=False)
    walking_s: float = field(compare=False)
    writing_s: float = field(compare=False)


def allocate(folder: Path, num_pins: int, settings: WalkSettings) -> None:
    """Create the three `.npy` files with room for every pin; partitions fill them."""
    columns = (settings.num_neighbors, settings.num_neighbors, settings.num_hard_negatives)
    for name, dtype, width in zip(NAMES, (np.int32, np.float32, np.int32), columns, strict=True):
        rows.allocate(folder / f"{name}.npy", dtype, (num_pins, width))


def ranges(num_pins: int, count: int) -> list[tuple[int, int]]:
    """`count` runs of rows of nearly equal length that cover all pins; fewer where there are fewer pins."""
    # Rounded from the whole range, not from a step: lengths differ by one at most.
    ends = np.linspace(0, num_pins, max(1, min(count, num_pins)) + 1).astype(int).tolist()
    return list(pairwise(ends))


def num_parts(num_pins: int, num_threads: int) -> int:
    """Partitions for so many pins on so many threads: small ones, and several for each thread."""
    return max(-(-num_pins // PINS_PER_PART), PARTS_PER_THREAD * num_threads)


def walk_partition(graph: StagedFiles, out: Rows, begin: int, end: int, settings: WalkSettings) -> PartitionResult:
    """Walk from the pins [begin, end) and hand in their rows of the three arrays.

    Doing it again hands in the same bytes, so an attempt that outlived its worker does no harm.

    Raises:
        ArtifactDamagedError: the graph cannot be opened.
        UnknownPinError: the graph lacks some of the pins.
        DiskFullError: there is no room for the rows.
    """
    began = time.perf_counter()
    prepared, counts, walking_s = prepare_graph(graph.folder()), [], 0.0
    if not 0 <= begin <= end <= prepared.num_pins:
        raise UnknownPinError(
            f"Pins {begin} to {end} were to be walked from, but the graph has {prepared.num_pins}. "
            "Take rows and graph from one run."
        )
    ready = time.perf_counter()
    with out.part(NAMES, begin, end) as writer:
        # Written as they are made: of a large partition never all rows are in memory.
        for first in range(begin, end, _PINS_AT_ONCE):
            started = time.perf_counter()
            pins = np.arange(first, min(first + _PINS_AT_ONCE, end), dtype=np.int32)
            made, count = _walk(prepared, pins, settings)
            walking_s += time.perf_counter() - started
            writer.append(made)
            counts.append(count)
    writing_s = time.perf_counter() - ready - walking_s
    num_hops, neighbors, full_rows, hard = np.array(counts, np.int64).reshape(-1, 4).sum(axis=0).tolist()
    return PartitionResult(writer.finish(), num_hops, neighbors, full_rows, hard, ready - began, walking_s, writing_s)


def prepare_graph(folder: Path) -> HopTables:
    """The graph, made ready once per process, whichever of its threads asks first."""
    # `lru_cache` alone would let two threads that ask at the same time prepare the graph twice, in twice the memory.
    with _OPENING:
        return _open(folder)


def check_coverage(walked: Sequence[PartitionResult], num_pins: int) -> None:
    """Check that the partitions cover every pin once.

    Raises:
        PinSageError: rows are missing or doubled.
    """
    expected = 0
    for part in walked:
        if part.written.first != expected:
            raise PinSageError(f"Rows {expected} to {part.written.first} were not walked. Run the stage again.")
        expected = part.written.last
    if expected != num_pins:
        raise PinSageError(f"{expected} of {num_pins} rows were walked. Run the stage again.")


@lru_cache(maxsize=1)
def _open(folder: Path) -> HopTables:
    return HopTables.open(folder)


def _walk(
    hops: HopTables, pins: NDArray[np.int32], settings: WalkSettings
) -> tuple[dict[str, NDArray[Any]], list[int]]:
    """The rows of some pins by array, and the counts of `PartitionResult`."""
    near, num_hops = top_neighbors(hops, pins, settings)
    hard, more = hard_negatives(hops, pins, near.neighbors, settings)
    real = np.count_nonzero(near.weights, axis=1)  # of each pin, [pins]
    full = int(np.count_nonzero(real == settings.num_neighbors))
    made = dict(zip(NAMES, (near.neighbors, near.weights, hard), strict=True))
    return made, [num_hops + more, int(real.sum()), full, int(np.count_nonzero(hard >= 0))]
