"""A training step on a CPU: this package beside plain gather-and-sum and DGL, and what the step's time goes to.

    python benchmarks/training_step.py --dgl-python DGL_VENV/bin/python [--pins 10000 200000] [--turns 5]
    python benchmarks/training_step.py --tables

K = 2, T = 50, m = 256, d = 128, 320 feature columns, 512 pairs a step. `ours` and `gather_and_sum` train on the same
minibatches with the paper's negatives (500 shared, 6 hard), and their first losses must agree. DGL's PinSage draws one
negative per pair and no hard ones; `ours_like_dgl` has as many targets as it. Ours train in float32 and in bf16, which
is the default where the processor multiplies in it. Contestants are waiting processes that take turns, on one pinned
core and then on all; figures are medians of wall and CPU time over the turns.

With --tables: the step by batch size and by number of neighbors, as the paper's Tables 3 and 4.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from hardware import described
from torch.profiler import ProfilerActivity, profile
from training_peers import CONTESTANTS, trainer
from training_world import written_world

from pinsage.training.device import cpu_has_bf16

HERE = Path(__file__).parent
FEATURES, NEIGHBORS, WIDTH = 320, 50, 256
BATCHES, NEIGHBORHOODS = (512, 1024, 2048, 4096, 8192), (10, 20, 50)
MATMULS = ("aten::mm", "aten::addmm", "aten::bmm")
Row = dict[str, Any]


def main() -> None:
    """Print the tables."""
    chosen = options()
    found: list[Row] = []
    print(described("torch", "numba", "numpy"))
    with tempfile.TemporaryDirectory() as folder:
        for num_pins in chosen.pins:
            place = Path(folder) / str(num_pins)
            place.mkdir()
            written_world(place, num_pins, num_features=FEATURES, num_neighbors=NEIGHBORS)
            measure = step_table if chosen.tables else comparison
            found += [{"pins": num_pins, **row} for row in measure(chosen, place)]
    if chosen.json:
        Path(chosen.json).write_text(
            json.dumps({"hardware": described("torch", "numba", "numpy"), "rows": found}, indent=1)
        )


def options() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pins", type=int, nargs="+", default=[10_000, 200_000])
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, len(os.sched_getaffinity(0))])
    parser.add_argument("--dgl-python", help="a Python that has dgl; without it DGL is left out")
    parser.add_argument("--tables", action="store_true", help="by batch size and neighbors instead")
    parser.add_argument("--json", help="file for the raw numbers")
    return parser.parse_args()


def comparison(chosen: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """All contestants in turns, and then where our step's time goes."""
    for threads in chosen.threads:
        rows = in_turns(chosen, folder, threads)
        shown(rows, chosen.batch, f"{folder.name} pins, {threads} thread(s)")
        for name, turns in rows.items():
            yield {"threads": threads, "contestant": name, "turns": turns}
    yield {"profile": time_by_kind(folder, chosen.batch)}


def in_turns(chosen: argparse.Namespace, folder: Path, threads: int) -> dict[str, list[Row]]:
    """The answers of every contestant, turn by turn, after one that warms it up."""
    ours = [sys.executable, str(HERE / "training_peers.py")]
    commands = {name: [*ours, name] for name in CONTESTANTS}
    if chosen.dgl_python:
        dgl = [chosen.dgl_python, str(HERE / "dgl_training.py")]
        commands |= {"dgl_tables": [*dgl, "tables"], "dgl_walks": [*dgl, "walks"]}
    arguments = [str(folder), str(chosen.batch), str(WIDTH), str(threads)]
    with ExitStack() as stack:
        workers = {
            name: stack.enter_context(waiting([*command, *arguments], threads)) for name, command in commands.items()
        }
        for worker in workers.values():
            turn(worker)
        turns = [{name: turn(worker) for name, worker in workers.items()} for _ in range(chosen.turns)]
    rows = {name: [row[name] for row in turns] for name in commands}
    first = {name: rows[name][0]["first_loss"] for name in ("ours", "gather_and_sum")}
    if abs(first["ours"] - first["gather_and_sum"]) > 1e-5:
        raise SystemExit(f"the losses of one minibatch differ: {first}")
    return rows


@contextmanager
def waiting(command: list[str], threads: int) -> Iterator["subprocess.Popen[str]"]:
    """A contestant that waits for its turns."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(HERE.parent)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        yield process
        process.communicate()


def turn(process: "subprocess.Popen[str]") -> Row:
    """One step."""
    assert process.stdin
    assert process.stdout
    process.stdin.write("1\n")
    process.stdin.flush()
    answer: Row = json.loads(process.stdout.readline())
    return answer


def shown(rows: dict[str, list[Row]], batch: int, title: str) -> None:
    """A Markdown table."""
    print(f"\n{title}\n\n| | ms a step | of CPU | pairs/s | peak GiB |\n|---|---|---|---|---|")
    for name, turns in rows.items():
        wall, cpu = (statistics.median(row[kind] for row in turns) for kind in ("wall_s", "cpu_s"))
        span = f"{min(r['wall_s'] for r in turns) * 1e3:.0f}-{max(r['wall_s'] for r in turns) * 1e3:.0f}"
        peak = turns[-1]["peak_gib"]
        print(f"| {name} | {wall * 1e3:.0f} ({span}) | {cpu * 1e3:.0f} | {batch / wall:,.0f} | {peak:.2f} |")


def time_by_kind(folder: Path, batch: int) -> dict[str, float]:
    """Shares of the time that steps of ours spend in each kind of operation, on one thread."""
    contestant = trainer("ours", folder, batch_size=batch, width=WIDTH, num_threads=1)
    contestant.steps(1)
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        contestant.steps(2)
    times = {event.key: event.self_cpu_time_total for event in profiler.key_averages()}
    total = sum(times.values())
    print(f"\nmatrix products: {sum(times.get(name, 0) for name in MATMULS) / total:.0%} of the step; and")
    rest = sorted((name for name in times if name not in MATMULS), key=times.__getitem__, reverse=True)
    for name in rest[:8]:
        print(f"  {times[name] / total:5.1%}  {name}")
    return {name: value / total for name, value in times.items() if value > total / 1000}


def step_table(chosen: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """Our step by batch size and by number of neighbors, on all cores, in the default precision."""
    threads = max(chosen.threads)
    torch.set_num_threads(threads)
    print(f"\n{folder.name} pins, {threads} thread(s)\n\n| batch | T | ms a step | pairs/s |\n|---|---|---|---|")
    for batch in BATCHES:
        for neighbors in NEIGHBORHOODS:
            turns = list(own_turns(folder, batch, neighbors, threads, chosen.turns))
            wall = statistics.median(turns)
            print(f"| {batch} | {neighbors} | {wall * 1e3:.0f} | {batch / wall:,.0f} |", flush=True)
            yield {"batch": batch, "neighbors": neighbors, "seconds": turns}


def own_turns(folder: Path, batch: int, neighbors: int, threads: int, turns: int) -> Iterator[float]:
    """Seconds of each of several steps, after one."""
    name = "ours_bf16" if cpu_has_bf16() else "ours"
    contestant = trainer(name, folder, batch_size=batch, width=WIDTH, num_threads=threads, num_neighbors=neighbors)
    contestant.steps(1)
    for _ in range(turns):
        began = time.perf_counter()
        contestant.steps(1)
        yield time.perf_counter() - began


if __name__ == "__main__":
    main()
