"""The neighborhood of every pin: the T pins that random walks visit most, with their importance weights.

Letters: P pins, Q query pins, T neighbors.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pinsage.errors import ArtifactDamagedError
from pinsage.settings.schema import WalkSettings
from pinsage.store.arrays import open_array, save_array
from pinsage.walks.expected import PushPlan, top_expected
from pinsage.walks.hops import HopTables
from pinsage.walks.random_walk import WalkPlan, top_visited


@dataclass(frozen=True)
class Neighborhoods:
    """Neighbors and importance weights of every pin.

    Attributes:
        neighbors: int32 [P, T], heaviest first, padded with the pin itself.
        weights: float32 [P, T], each row sums to 1, or to 0 for an isolated pin; padding weighs 0.

    Source: PinSage §3.2 (importance-based neighborhoods).
    """

    neighbors: NDArray[np.int32]
    weights: NDArray[np.float32]

    @classmethod
    def open(cls, folder: Path) -> "Neighborhoods":
        """The neighborhoods in a folder of the stage `walk`, as read-only memory maps.

        Raises:
            ArtifactDamagedError: a file is missing, cut short or of another type, or the two differ in shape.
        """
        neighbors = open_array(folder / "neighbors.npy", np.int32, (None, None))
        weights = open_array(folder / "weights.npy", np.float32, (None, None))
        if neighbors.shape != weights.shape:
            raise ArtifactDamagedError(
                f"{folder} holds neighbors {list(neighbors.shape)} and weights {list(weights.shape)}. "
                "Delete the folder; the next run makes it again."
            )
        return cls(neighbors, weights)

    def save(self, folder: Path) -> None:
        """Write both arrays as `.npy` files into `folder`."""
        save_array(folder / "neighbors.npy", self.neighbors)
        save_array(folder / "weights.npy", self.weights)

    @property
    def num_pins(self) -> int:
        """P, pins with and without neighbors."""
        return int(self.neighbors.shape[0])

    @property
    def num_neighbors(self) -> int:
        """T, neighbors kept per pin, padding included."""
        return int(self.neighbors.shape[1])


def top_neighbors(hops: HopTables, pins: NDArray[np.int32], settings: WalkSettings) -> tuple[Neighborhoods, int]:
    """The neighborhoods of some pins, row i for `pins[i]`, and the number of hops made: saves followed, or read.

    Args:
        hops: the graph.
        pins: int32 [Q].
        settings: how visits are counted or computed, and T.

    Raises:
        UnknownPinError: a pin is not of the graph.

    Source: PinSage §3.2.
    """
    top = settings.num_neighbors
    if settings.method == "walks":
        visited, weights, traversals = top_visited(hops, pins, walk_plan(settings), top=top)
        num_hops = 2 * traversals
    else:
        visited, weights, num_hops = top_expected(hops, pins, push_plan(settings), top=top)
    # Padded with the pin itself: a valid row to read, and its weight of 0 keeps it out of every sum.
    neighbors = np.where(visited >= 0, visited, np.asarray(pins, np.int32)[:, None])  # [Q, T]
    return Neighborhoods(neighbors, weights), num_hops


def walk_plan(settings: WalkSettings) -> WalkPlan:
    """The walks that the settings ask for when visits are counted."""
    return WalkPlan(settings.num_walks, settings.max_traversals, settings.restart, settings.seed)


def push_plan(settings: WalkSettings) -> PushPlan:
    """The forward push that the settings ask for when expected visits are computed."""
    return PushPlan(settings.max_traversals, settings.restart, settings.budget, settings.seed)
