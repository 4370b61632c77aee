"""Building minibatches: expansion, one number per pin, local neighbor tables; beside the same by torch.unique.

    python benchmarks/minibatch.py [--pins 10000 200000 2000000] [--batch 512 2048] [--turns 7]

One pinned core, one thread, K = 2, T = 50. Targets are 512 (or 2,048) pairs with 500 shared and 6 hard negatives each.
Both build the same nested node sets and the same local tables (checked); the peer numbers pins by torch.unique and
looks the neighbors up by searchsorted. Turns are interleaved; figures are medians. Also: what the transposes add, which
our backward pass reads and the peer does not have, and the gather of 320 feature columns, which both need.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hardware import described, pin_to_one_core
from numpy.typing import NDArray
from torch import Tensor

from pinsage.batches.memory import MemoryPool
from pinsage.batches.minibatch import NeighborSampler
from pinsage.features.matrix import FeatureMatrix

T, LAYERS, FEATURES = 50, 2, 320
SHARED, HARD = 500, 6
EXPONENT = 0.6  # a pin of rank r is a neighbor with probability ~ r ** -EXPONENT


def main() -> None:
    """Print a table."""
    chosen = options()
    pin_to_one_core()
    torch.set_num_threads(1)
    print(described("torch", "numba", "numpy"))
    print("\n| pins | pairs | nodes | ours ms | torch.unique ms | ratio | with transposes ms | feature gather ms |")
    print("|---|---|---|---|---|---|---|---|")
    rows = [measured(pins, batch, chosen.turns) for pins in chosen.pins for batch in chosen.batch]
    if chosen.json:
        Path(chosen.json).write_text(
            json.dumps({"hardware": described("torch", "numba", "numpy"), "rows": rows}, indent=1)
        )


def options() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pins", type=int, nargs="+", default=[10_000, 200_000, 2_000_000])
    parser.add_argument("--batch", type=int, nargs="+", default=[512, 2048])
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--json", help="file for the raw numbers")
    return parser.parse_args()


def measured(num_pins: int, batch: int, turns: int) -> dict[str, Any]:
    """Seconds of every way, turn by turn, for fresh targets in every turn."""
    rng = np.random.default_rng(0)
    neighbors, weights = drawn_tables(rng, num_pins)
    features = FeatureMatrix({"visual": rng.standard_normal((num_pins, FEATURES), np.float32)})
    sampler, peer, memory = (
        NeighborSampler(neighbors, weights, num_layers=LAYERS),
        ByUnique(neighbors, weights),
        MemoryPool(),
    )
    check(sampler, peer, rng.integers(num_pins, size=200, dtype=np.int32))

    def gather(targets: NDArray[np.int32]) -> None:
        nodes = sampler.sample(targets)[0].nodes
        timed_gather.append(timed(lambda _: features.rows(nodes, memory.array((len(nodes), FEATURES))), nodes))

    timed_gather: list[float] = []
    ways: dict[str, Callable[[NDArray[np.int32]], Any]] = {
        "ours": sampler.sample,
        "unique": peer.expand,
        "transposed": lambda targets: sampler.sample(targets, transposed=True),
        "gather": gather,
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(turns + 1):
        targets = rng.integers(num_pins, size=2 * batch + SHARED + HARD * batch, dtype=np.int32)
        for name, way in ways.items():
            took = timed(way, targets)
            if number:  # the first turn warms up
                seconds[name].append(took)
    seconds["gather"] = timed_gather[1:]
    middle = {name: statistics.median(took) * 1e3 for name, took in seconds.items()}
    nodes = len(sampler.sample(targets)[0].nodes)
    print(
        f"| {num_pins:,} | {batch} | {nodes:,} | {middle['ours']:.1f} | {middle['unique']:.1f} | "
        f"{middle['unique'] / middle['ours']:.1f} | {middle['transposed']:.1f} | {middle['gather']:.1f} |",
        flush=True,
    )
    return {"pins": num_pins, "batch": batch, "nodes": nodes, "seconds": seconds}


def timed(way: Callable[[NDArray[np.int32]], Any], targets: NDArray[np.int32]) -> float:
    """CPU seconds: other work on this machine does not count."""
    began = time.process_time()
    way(targets)
    return time.process_time() - began


def drawn_tables(rng: np.random.Generator, num_pins: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Neighbors by popularity, and weights: [P, T] each."""
    power = 1 - EXPONENT
    ranks = (((num_pins**power - 1) * rng.random((num_pins, T), np.float32) + 1) ** (1 / power) - 1).astype(np.int32)
    neighbors = rng.permutation(num_pins).astype(np.int32)[np.minimum(ranks, num_pins - 1)]
    return neighbors, np.full((num_pins, T), 1 / T, np.float32)


class ByUnique:
    """Minibatches as one writes them with torch."""

    def __init__(self, neighbors: NDArray[np.int32], weights: NDArray[np.float32]) -> None:
        self._neighbors, self._weights = torch.from_numpy(neighbors), torch.from_numpy(weights)

    def expand(self, targets: NDArray[np.int32]) -> tuple[list[Tensor], list[Tensor], list[Tensor], Tensor]:
        """The sorted node sets, local neighbors and weights of each layer from the targets outwards, and positions."""
        nodes, positions = torch.unique(torch.from_numpy(targets), return_inverse=True)
        layers, tables, weights = [nodes], [], []
        for _ in range(LAYERS):
            inner = layers[-1].long()
            near = self._neighbors[inner]
            layers.append(torch.unique(torch.cat([layers[-1], near.flatten()])))
            tables.append(torch.searchsorted(layers[-1], near))
            weights.append(self._weights[inner])
        return layers, tables, weights, positions


def check(sampler: NeighborSampler, peer: ByUnique, targets: NDArray[np.int32]) -> None:
    """Stop if the two disagree on who is touched and who is whose neighbor."""
    subgraph, _ = sampler.sample(targets)
    layers, tables, _, _ = peer.expand(targets)
    for size, nodes in zip(subgraph.sizes, layers, strict=True):
        if not np.array_equal(np.sort(subgraph.nodes[:size]), nodes.numpy()):
            raise SystemExit("the node sets differ")
    inner, outer = layers[1].numpy(), layers[2].numpy()
    places = {int(pin): place for place, pin in enumerate(subgraph.nodes[: subgraph.sizes[1]])}
    rows = subgraph.nodes[subgraph.neighbors[[places[int(pin)] for pin in inner]]]
    if not np.array_equal(rows, outer[tables[1].numpy()]):
        raise SystemExit("the neighbors differ")


if __name__ == "__main__":
    main()
