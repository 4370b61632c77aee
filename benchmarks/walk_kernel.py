"""Random walks per second on one core: the kernel of this package beside a textbook one, interleaved.

    python benchmarks/walk_kernel.py [--saves 1e7] [--pins 20000]

Both make the same kind of walks (200 a pin, at most 2 traversals, restart 0.5, top 50) over the same graph; counting
and sorting are included. A hop is one edge followed, so a traversal is two. CPU seconds of this process, medians of 5.
"""

import argparse
import platform
import time
from pathlib import Path

import numba
import numpy as np
from numba import njit
from numpy.typing import NDArray

from pinsage.graph.build import build_graph
from pinsage.graph.csr import BipartiteGraph
from pinsage.walks.random_walk import WalkPlan, counted_top_visited

REPEATS, TOP = 5, 50
PLAN = WalkPlan(num_walks=200, max_hops=2, restart=0.5, seed=7)


@njit
def textbook(graph, pins, num_walks, max_hops, restart, top):
    """One walk at a time, np.random, a sort to count: what one writes first. Returns the traversals made."""
    pin_offsets, pin_boards, board_offsets, board_pins = graph
    found, weights = np.full((len(pins), top), -1, np.int32), np.zeros((len(pins), top), np.float32)
    visits, traversals = np.empty(num_walks * max_hops, np.int32), 0
    for row in range(len(pins)):
        start, count = pins[row], 0
        if pin_offsets[start] == pin_offsets[start + 1]:
            continue
        for _ in range(num_walks):
            pin = start
            for _ in range(max_hops):
                board = pin_boards[np.random.randint(pin_offsets[pin], pin_offsets[pin + 1])]  # noqa: NPY002
                pin = board_pins[np.random.randint(board_offsets[board], board_offsets[board + 1])]  # noqa: NPY002
                traversals += 1
                if pin != start:
                    visits[count] = pin
                    count += 1
                if np.random.random() < restart:  # noqa: NPY002
                    break
        _keep_top(np.sort(visits[:count]), found[row], weights[row])
    return traversals


@njit
def _keep_top(visits, found, weights):
    distinct, counts, last = np.empty_like(visits), np.zeros(len(visits), np.int64), -1
    for index in range(len(visits)):
        if index == 0 or visits[index] != visits[index - 1]:
            last += 1
            distinct[last] = visits[index]
        counts[last] += 1
    order = np.argsort(-counts[: last + 1])[: len(found)]
    total = counts[order].sum()
    for index in range(len(order)):
        found[index] = distinct[order[index]]
        weights[index] = counts[order[index]] / total


def zipf_graph(num_saves: int, seed: int = 0) -> BipartiteGraph:
    """A graph whose pins and boards have power-law degrees: ten saves a pin and thirty a board on average."""
    rng, num_pins, num_boards = np.random.default_rng(seed), num_saves // 10, num_saves // 30
    pins, boards = _zipf(rng, num_pins, num_saves, 0.6), _zipf(rng, num_boards, num_saves, 0.5)
    keys = np.unique(boards.astype(np.int64) * num_pins + pins)
    boards, pins = (keys // num_pins).astype(np.int32), (keys % num_pins).astype(np.int32)
    return build_graph(pins, boards, num_pins=num_pins, num_boards=num_boards)


def _zipf(rng: np.random.Generator, count: int, size: int, exponent: float) -> NDArray[np.int32]:
    power = 1 - exponent
    ranks = ((count**power - 1) * rng.random(size) + 1) ** (1 / power) - 1
    return rng.permutation(count).astype(np.int32)[np.minimum(ranks.astype(np.int64), count - 1)]


def processor() -> str:
    """The processor's name and how many there are."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else platform.processor() or platform.machine()


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--saves", type=float, default=1e7)
    parser.add_argument("--pins", type=int, default=20_000)
    chosen = parser.parse_args()
    graph = zipf_graph(int(chosen.saves))
    arrays = (graph.pin_offsets, graph.pin_boards, graph.board_offsets, graph.board_pins)
    queries = np.random.default_rng(1).permutation(graph.num_pins)[: chosen.pins].astype(np.int32)
    contestants = {
        "numba, textbook": lambda: textbook(arrays, queries, PLAN.num_walks, PLAN.max_hops, PLAN.restart, TOP),
        "this package": lambda: counted_top_visited(graph, queries, PLAN, top=TOP)[2],
    }
    for run in contestants.values():
        run()  # compiles
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(REPEATS):
        for name, run in contestants.items():
            began = time.process_time()
            rates[name].append(2 * run() / (time.process_time() - began) / 1e6)
    print(f"{processor()}; Python {platform.python_version()}, numba {numba.__version__}, numpy {np.__version__}")
    print(
        f"{graph.num_saves:,} saves, {graph.num_pins:,} pins, {graph.num_boards:,} boards; {len(queries):,} start pins"
    )
    slowest = np.median(rates["numba, textbook"])
    for name, values in rates.items():
        median = np.median(values)
        print(f"{name:16} {median:6.1f} M hops/s ({min(values):.1f}-{max(values):.1f})  {median / slowest:.1f} x")


if __name__ == "__main__":
    main()
