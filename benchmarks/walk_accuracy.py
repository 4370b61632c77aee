"""Distance of a pin's neighborhood from the exact one, and its cost: four ways to estimate visits, interleaved.

    python benchmarks/walk_accuracy.py --saves 1e7 [--graph FOLDER] [--queries 200] [--plot FILE.png] [--json FILE]

The truth is the exact distribution of visits over two traversals with restart 0.5, by pushing all mass through the
whole graph. recall@50 is the share of its top 50 that a method finds; total variation is half the sum of differences
of the weights of both top 50s. CPU microseconds a pin on one core, over --timed random pins, median of --repeats.

Methods: counted walks (`walk.method=walks`), expected visits (`walk.method=expected`), the first traversal alone
(expected visits of one hop), and textbook forward push, which drops what is less than a threshold a save.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from hardware import described, pin_to_one_core
from numba import njit
from numpy.typing import NDArray
from walk_kernel import graph_in, starts

from pinsage.graph.csr import BipartiteGraph
from pinsage.walks.expected import PushPlan, top_expected
from pinsage.walks.hops import HopTables
from pinsage.walks.random_walk import WalkPlan, top_visited

TOP, RESTART, HOPS = 50, 0.5, 2
WALKS = (200, 1000, 5000, 20_000, 100_000, 400_000)
BUDGETS = (256, 1024, 4096, 8192, 16_384, 65_536)
THRESHOLDS = (1e-3, 1e-4, 1e-5)
SLOW_US = 2000.0  # methods slower than this a pin are timed over fewer pins
Rows = tuple[NDArray[np.int32], NDArray[np.float32]]


@njit
def exact_visits(graph, pin, visits, here, boards):
    """Fill `visits` float64 [P] with the expected visits from a pin, by passes over all rows."""
    pin_offsets, pin_boards, board_offsets, board_pins = graph
    visits[:] = 0
    here[:] = 0
    here[pin] = 1.0
    left = 1.0
    for _ in range(HOPS):
        boards[:] = 0
        for row in range(len(here)):
            degree = pin_offsets[row + 1] - pin_offsets[row]
            if here[row] > 0:
                for edge in range(pin_offsets[row], pin_offsets[row + 1]):
                    boards[pin_boards[edge]] += here[row] / degree
        here[:] = 0
        for row in range(len(boards)):
            degree = board_offsets[row + 1] - board_offsets[row]
            if boards[row] > 0:
                for edge in range(board_offsets[row], board_offsets[row + 1]):
                    here[board_pins[edge]] += boards[row] / degree
        for row in range(len(here)):
            visits[row] += left * here[row]
        left *= 1 - RESTART
    visits[pin] = 0


@njit
def push_on(offsets, columns, threshold, source, target):
    """Move the mass of the rows touched on, if it is `threshold` a save at least; `source` is empty then.

    A side is (mass [rows], rows touched, how many); returns how many rows of the target are touched.
    """
    mass, touched, count = source
    there, reached, num_reached = target
    for index in range(count):
        row = touched[index]
        each = mass[row] / (offsets[row + 1] - offsets[row])
        mass[row] = 0
        if each >= threshold:
            for edge in range(offsets[row], offsets[row + 1]):
                column = columns[edge]
                if there[column] == 0:
                    reached[num_reached] = column
                    num_reached += 1
                there[column] += each
    return num_reached


@njit
def pushed(graph, pins, threshold, found, weights):
    """Textbook forward push: two traversals, keeping a list of what was touched instead of passing over all rows."""
    pin_offsets, pin_boards, board_offsets, board_pins = graph
    here, boards = np.zeros(len(pin_offsets) - 1), np.zeros(len(board_offsets) - 1)
    on_pins, on_boards = np.empty(len(here), np.int64), np.empty(len(boards), np.int64)
    for query in range(len(pins)):
        here[pins[query]], on_pins[0], count, left = 1.0, pins[query], 1, 1.0
        rows, visits = [np.empty(0, np.int64)], [np.empty(0, np.float64)]
        for _ in range(HOPS):
            reached = push_on(pin_offsets, pin_boards, threshold, (here, on_pins, count), (boards, on_boards, 0))
            count = push_on(board_offsets, board_pins, threshold, (boards, on_boards, reached), (here, on_pins, 0))
            rows.append(on_pins[:count].copy())
            visits.append(left * here[on_pins[:count]])
            left *= 1 - RESTART
        here[on_pins[:count]] = 0
        keep_best(rows, visits, pins[query], found[query], weights[query])


@njit
def keep_best(rows, visits, pin, found, weights):
    """Add up the visits of each row over the traversals, and keep the most visited, without the pin itself."""
    every, total = np.zeros(0, np.int64), 0.0
    for some in rows:
        every = np.concatenate((every, some))
    each = np.zeros(0, np.float64)
    for some in visits:
        each = np.concatenate((each, some))
    order = np.argsort(every)
    distinct, sums, last = np.empty_like(every), np.zeros(len(every)), -1
    for place in order:
        if last < 0 or every[place] != distinct[last]:
            last += 1
            distinct[last] = every[place]
        sums[last] += 0 if every[place] == pin else each[place]
    best = np.argsort(-sums[: last + 1])[: len(found)]
    total = sums[best].sum()
    for rank in range(len(best)):
        if sums[best[rank]] > 0:
            found[rank], weights[rank] = distinct[best[rank]], sums[best[rank]] / total


def truth(arrays: tuple, pins: NDArray[np.int32]) -> Rows:
    """The exact top 50 of every query, with weights."""
    found, weights = np.full((len(pins), TOP), -1, np.int32), np.zeros((len(pins), TOP), np.float32)
    visits, here, boards = np.empty(len(arrays[0]) - 1), np.empty(len(arrays[0]) - 1), np.empty(len(arrays[2]) - 1)
    for row, pin in enumerate(pins):
        exact_visits(arrays, pin, visits, here, boards)
        best = np.argpartition(-visits, TOP)[:TOP] if len(visits) > TOP else np.arange(len(visits))
        best = best[np.argsort(-visits[best], kind="stable")]
        best = best[visits[best] > 0]
        found[row, : len(best)], weights[row, : len(best)] = best, visits[best] / visits[best].sum()
    return found, weights


def nearness(exact: Rows, rows: Rows) -> tuple[float, float]:
    """Mean recall@50 and mean total variation."""
    recalls, distances = [], []
    for true_pins, true_weights, pins, weights in zip(*exact, *rows, strict=True):
        targets = dict(zip(true_pins[true_pins >= 0].tolist(), true_weights.tolist(), strict=False))
        given = dict(zip(pins[pins >= 0].tolist(), weights.tolist(), strict=False))
        recalls.append(len(targets.keys() & given.keys()) / max(len(targets), 1))
        distances.append(sum(abs(targets.get(pin, 0) - given.get(pin, 0)) for pin in targets.keys() | given.keys()) / 2)
    return float(np.mean(recalls)), float(np.mean(distances))


def methods(graph: BipartiteGraph, arrays: tuple) -> dict[str, Callable[[NDArray[np.int32]], Rows]]:
    """Every method at every setting, by name."""
    hops, found = HopTables.of(graph), {}
    for walks in WALKS:
        plan = WalkPlan(walks, HOPS, RESTART, 3)
        found[f"walks {walks:,}"] = lambda pins, plan=plan: top_visited(hops, pins, plan, top=TOP)[:2]
    first = PushPlan(1, RESTART, 65_536, 3)
    found["first traversal alone"] = lambda pins: top_expected(hops, pins, first, top=TOP)[:2]
    for budget in BUDGETS:
        spread = PushPlan(HOPS, RESTART, budget, 3)
        found[f"expected {budget:,}"] = lambda pins, spread=spread: top_expected(hops, pins, spread, top=TOP)[:2]
    for threshold in THRESHOLDS:
        found[f"push {threshold:g}"] = lambda pins, threshold=threshold: push(arrays, pins, threshold)
    return found


def push(arrays: tuple, pins: NDArray[np.int32], threshold: float) -> Rows:
    """The rows that forward push gives."""
    found, weights = np.full((len(pins), TOP), -1, np.int32), np.zeros((len(pins), TOP), np.float32)
    pushed(arrays, pins, threshold, found, weights)
    return found, weights


def timed(run: Callable[[NDArray[np.int32]], Rows], pins: NDArray[np.int32]) -> float:
    """CPU microseconds a pin."""
    began = time.process_time()
    run(pins)
    return (time.process_time() - began) / len(pins) * 1e6


def cost_at(rows: dict[str, dict[str, float]], kind: str, recall: float) -> float:
    """Microseconds a pin at which a kind of method reaches a recall, between two settings by the logarithm of time.

    Where no setting reaches it, the cost of the largest: the true one is more than that.
    """
    points = sorted((row["recall"], row["us"]) for name, row in rows.items() if name.startswith(kind))
    recalls, costs = zip(*points, strict=True)
    return float(np.exp(np.interp(recall, recalls, np.log(costs))))


def plot(rows: dict[str, dict[str, float]], path: Path) -> None:
    """Recall against time, a curve per kind of method."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.2))
    kinds = {"walks": "counted walks", "expected": "expected visits (default)", "push": "forward push"}
    for kind, label in kinds.items():
        points = sorted((row["us"], row["recall"]) for name, row in rows.items() if name.startswith(kind))
        axes.plot(*zip(*points, strict=True), marker="o", label=label)
    first = rows["first traversal alone"]
    axes.plot(first["us"], first["recall"], marker="s", linestyle="", color="gray", label="first traversal alone")
    axes.set(
        xscale="log",
        xlabel="CPU microseconds a pin, one core",
        ylabel="recall@50 of the exact neighborhood",
        ylim=(0, 1),
    )
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Measure, print a table, and say what recall 0.90 costs with and without walking."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--saves", type=float, default=1e7)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--timed", type=int, default=4000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--graph", type=Path)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    pin_to_one_core()
    with tempfile.TemporaryDirectory() as scratch:
        graph = graph_in(chosen.graph or Path(scratch), int(chosen.saves))
        arrays = tuple(
            np.asarray(part) for part in (graph.pin_offsets, graph.pin_boards, graph.board_offsets, graph.board_pins)
        )
        runs, pins = methods(graph, arrays), starts(graph, max(chosen.timed, chosen.queries))
        exact = truth(arrays, pins[: chosen.queries])
        rows = {
            name: dict(zip(("recall", "distance"), nearness(exact, run(pins[: chosen.queries])), strict=True))
            for name, run in runs.items()
        }
        turns: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(chosen.repeats):
            for name, run in runs.items():
                slow = turns[name] and turns[name][0] > SLOW_US
                turns[name].append(
                    timed(run, pins[: chosen.timed // (20 if slow or "00,000" in name or "1e-05" in name else 1)])
                )
    print(described())
    print(f"{graph.num_saves:,} saves, {graph.num_pins:,} pins, {graph.num_boards:,} boards; {chosen.queries} queries")
    for name, row in rows.items():
        row["us"] = float(np.median(turns[name]))
        print(
            f"  {name:22} recall@50 {row['recall']:.3f}  total variation {row['distance']:.3f}"
            f"  {row['us']:8.1f} us a pin"
        )
    expected, walks = cost_at(rows, "expected", 0.9), cost_at(rows, "walks", 0.9)
    most = max(row["recall"] for name, row in rows.items() if name.startswith("walks"))
    than = (
        f"more than {walks:.0f} us by walks, which reach {most:.3f} then" if most < 0.9 else f"{walks:.0f} us by walks"
    )
    print(f"recall 0.90 costs {expected:.0f} us a pin by expected visits, {than}: {walks / expected:.1f} x")
    if chosen.plot:
        plot(rows, chosen.plot)
    if chosen.json:
        chosen.json.write_text(json.dumps({"hardware": described(), "rows": rows, "turns": turns}, indent=1))


if __name__ == "__main__":
    main()
