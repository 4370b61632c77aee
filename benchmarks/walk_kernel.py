"""Random walks per second on one core: this package, a textbook kernel, DGL's sampler, and the memory floor.

    python benchmarks/walk_kernel.py --saves 1e8 [--dgl-python PATH] [--graph FOLDER] [--json FILE]

All take turns and make the same kind of walks over the same graph: at most 2 traversals, restart 0.5; 200 walks a pin
with the top 50 kept, and 10 walks (30 hops) a pin with the top 3, as in DGL's PinSAGE example. Counting and ranking are
included. A hop is one edge followed, so a traversal is two. The floor is how fast the same core reads random 8-byte
words from an array as large as the table of hops. CPU seconds, pinned to one core, medians of --repeats.

DGL 2.1 needs an environment of its own: python -m venv dgl; dgl/bin/pip install torch==2.2.1 dgl==2.1.0 'numpy<2' scipy
pandas pydantic pyyaml torchdata==0.7.1; then --dgl-python dgl/bin/python. Without it the peer is left out.
"""

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hardware import described, pin_to_one_core
from numba import njit
from numpy.typing import NDArray
from zipf_world import zipf_saves

from pinsage.compiled.prefetch import prefetch
from pinsage.graph.build import build_graph
from pinsage.graph.csr import BipartiteGraph
from pinsage.walks.hops import HopTables, huge_page_array
from pinsage.walks.random_walk import WalkPlan, top_visited

PLANS = {"200 walks, top 50": (WalkPlan(200, 2, 0.5, 7), 50), "10 walks, top 3": (WalkPlan(10, 2, 0.5, 7), 3)}
READS = 20_000_000
Contestant = Callable[[], tuple[float, float]]  # CPU seconds and hops


@njit
def textbook(graph, pins, num_walks, max_traversals, restart, top):
    """One walk at a time, np.random, a sort to count: what one writes first. Returns the traversals made."""
    pin_offsets, pin_boards, board_offsets, board_pins = graph
    found, weights = np.full((len(pins), top), -1, np.int32), np.zeros((len(pins), top), np.float32)
    visits, traversals = np.empty(num_walks * max_traversals, np.int32), 0
    for row in range(len(pins)):
        start, count = pins[row], 0
        for _ in range(num_walks):
            pin = start
            for _ in range(max_traversals):
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


@njit
def random_reads(array, count, places):
    """The sum of `count` words at random places: as many misses in flight as prefetches allow."""
    total, state, mask = np.uint64(0), np.uint64(1), np.uint64(len(array) - 1)
    for _ in range(0, count, len(places)):
        for lane in range(len(places)):
            state = state * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
            places[lane] = np.int64((state >> np.uint64(24)) & mask)
            prefetch(array, places[lane])
        for place in places:
            total += array[place]
    return total


def floor_of(num_saves: int) -> Contestant:
    """Random reads from an array as large as the hops of `num_saves`, or nearly; a read counts as a hop."""
    array = huge_page_array(1 << (num_saves.bit_length() - 1), np.uint64)
    array[:] = 1
    places = np.empty(64, np.int64)

    def run() -> tuple[float, float]:
        began = time.process_time()
        random_reads(array, READS, places)
        return time.process_time() - began, READS

    return run


class Dgl:
    """DGL's PinSAGESampler in a process of its own Python, which waits between its turns."""

    def __init__(self, python: str, graph: Path, bits: int) -> None:
        script = Path(__file__).with_name("dgl_walks.py")
        self._process = subprocess.Popen(
            [python, str(script), str(graph), str(bits)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip

    def run(self, plan: WalkPlan, top: int, pins: int) -> tuple[float, float]:
        """CPU seconds and hops of one turn."""
        request = {
            "walks": plan.num_walks,
            "hops": plan.max_traversals,
            "restart": plan.restart,
            "top": top,
            "pins": pins,
        }
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return answer["seconds"], answer["hops"]


def graph_in(folder: Path, num_saves: int) -> BipartiteGraph:
    """The benchmark's graph, made and saved there unless it is there already."""
    if not (folder / "board_pins.npy").exists():
        boards, pins, num_boards, num_pins = zipf_saves(num_saves)
        folder.mkdir(parents=True, exist_ok=True)
        build_graph(pins, boards, num_pins=num_pins, num_boards=num_boards).save(folder)
    return BipartiteGraph.open(folder)


def starts(graph: BipartiteGraph, count: int) -> NDArray[np.int32]:
    """Random pins that have saves, the same for every contestant."""
    connected = np.flatnonzero(np.diff(graph.pin_offsets))
    return np.random.default_rng(1).permutation(connected)[:count].astype(np.int32)


def contestants(
    graph: BipartiteGraph, peers: dict[str, Dgl], plan: WalkPlan, top: int, count: int
) -> dict[str, Contestant]:
    """Who takes turns: each walks `count` pins (DGL a tenth of them) and says how long it took."""
    hops, pins = HopTables.of(graph), starts(graph, count)
    arrays = tuple(
        np.asarray(part) for part in (graph.pin_offsets, graph.pin_boards, graph.board_offsets, graph.board_pins)
    )

    def timed(walk: Callable[[], int]) -> Contestant:
        def run() -> tuple[float, float]:
            began = time.process_time()
            traversals = walk()
            return time.process_time() - began, 2.0 * traversals

        return run

    found: dict[str, Contestant] = {"random 8-byte reads": floor_of(graph.num_saves)}
    found["this package"] = timed(lambda: top_visited(hops, pins, plan, top=top)[2])
    found["numba, textbook"] = timed(
        lambda: textbook(arrays, pins[: count // 4], plan.num_walks, plan.max_traversals, plan.restart, top)
    )
    for name, peer in peers.items():
        found[name] = lambda peer=peer: peer.run(plan, top, count // 10)
    return found


def measured(runs: dict[str, Contestant], repeats: int) -> dict[str, list[float]]:
    """Million hops per CPU second of every contestant, one turn after the other."""
    for run in runs.values():
        run()  # compiles, and warms the caches
    rates: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            seconds, hops = run()
            rates[name].append(hops / seconds / 1e6)
    return rates


def show(title: str, rates: dict[str, list[float]]) -> None:
    """One table: medians, ranges, and what they are times DGL and of the floor."""
    medians = {name: float(np.median(values)) for name, values in rates.items()}
    peer = min((rate for name, rate in medians.items() if name.startswith("DGL")), default=np.nan)
    floor = medians["random 8-byte reads"]
    print(title)
    for name, values in rates.items():
        print(
            f"  {name:22} {medians[name]:7.1f} M/s ({min(values):.1f}-{max(values):.1f})"
            f"  {medians[name] / peer:5.1f} x DGL  {100 * medians[name] / floor:4.0f} % of the floor"
        )


def main() -> None:
    """Measure and print one table per plan."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--saves", type=float, default=1e7)
    parser.add_argument("--pins", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--dgl-python", default="")
    parser.add_argument("--graph", type=Path, help="where the graph is kept; a temporary folder if not given")
    parser.add_argument("--json", type=Path, help="where the raw numbers go")
    chosen = parser.parse_args()
    pin_to_one_core()
    with tempfile.TemporaryDirectory() as scratch:
        folder = chosen.graph or Path(scratch)
        graph = graph_in(folder, int(chosen.saves))
        peers = {}
        if chosen.dgl_python:
            peers = {f"DGL 2.1, int{bits}": Dgl(chosen.dgl_python, folder, bits) for bits in (64, 32)}
        raw: dict[str, Any] = {"hardware": described(), "saves": graph.num_saves}
        print(raw["hardware"])
        print(
            f"{graph.num_saves:,} saves, {graph.num_pins:,} pins, {graph.num_boards:,} boards; "
            f"{chosen.pins:,} start pins"
        )
        for title, (plan, top) in PLANS.items():
            raw[title] = measured(contestants(graph, peers, plan, top, chosen.pins), chosen.repeats)
            show(title, raw[title])
    if chosen.json:
        chosen.json.write_text(json.dumps(raw, indent=1))


if __name__ == "__main__":
    main()
