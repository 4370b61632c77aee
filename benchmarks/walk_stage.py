"""The walk stage as a whole: two workers on Dask, results written and verified, against the kernels alone on one core.

    python benchmarks/walk_stage.py [--saves 1e6 1e7] [--rounds 5] [--sample 20000]

Per round and size, interleaved: the kernels on a random sample of pins in one process that is pinned to one core (CPU
seconds, graph ready and code compiled before), then `tasks.walk.walk` from an empty folder to the last checked row
(wall seconds, starting and ending the workers included). The yardstick is twice the one-core rate. Seconds of the
workers are those of all workers together. Peaks are the system's high-water marks of resident memory (VmHWM), maps
included.
"""

import argparse
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
from hardware import cpu_seconds, described, peak_gib, pin_to_one_core, watched_children
from zipf_world import zipf_saves

from pinsage.graph.build import build_graph
from pinsage.settings.loading import load_settings
from pinsage.settings.schema import Settings
from pinsage.walks.neighborhood import top_neighbors
from pinsage.walks.pagerank import hard_negatives
from pinsage.walks.partition import prepare_graph
from tasks.running.work import StageWork
from tasks.walk import walk

Row = dict[str, float]
STEPS = ("starting", "preparing", "walking", "writing", "collecting")


def one_core(folder: Path, sample: int, settings: Settings) -> Row:
    """Pins per CPU second of the kernels alone, in this process."""
    pin_to_one_core()
    began = time.perf_counter()
    graph = prepare_graph(folder)
    prepared_s = time.perf_counter() - began
    pins = np.random.default_rng(1).permutation(graph.num_pins)[:sample].astype(np.int32)
    for chosen in (pins[:10], pins):  # the first time compiles or loads
        cpu = time.process_time()
        near, _ = top_neighbors(graph, chosen, settings.walk)
        hard_negatives(graph, chosen, near.neighbors, settings.walk)
    return {"one_core": len(pins) / (time.process_time() - cpu), "prepared_s": prepared_s}


def one_core_process(folder: Path, sample: int, overrides: list[str]) -> Row:
    """The result of `one_core` in a process of its own."""
    command = [sys.executable, __file__, "--one-core", str(folder), "--sample", str(sample)]
    command += [part for override in overrides for part in ("--set", override)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def stage(folder: Path, settings: Settings) -> Row:
    """Pins per wall second of the stage, its steps, CPU seconds and peaks of memory."""
    out = Path(tempfile.mkdtemp(dir=folder.parent))
    cpu = cpu_seconds()
    with watched_children() as peaks:
        began = time.perf_counter()
        facts = walk(StageWork(settings, {"connect": folder}, out, out, out))
        seconds = time.perf_counter() - began
    shutil.rmtree(out)
    steps = {step: float(facts[f"{step}_seconds"] or 0) for step in STEPS}
    pins, hops = float(facts["pins"] or 0), float(facts["hops_per_second"] or 0)
    rates = {"stage": pins / seconds, "hops": hops, "seconds": seconds, "cpu_s": cpu_seconds() - cpu, "pins": pins}
    return {**rates, **steps, "parent_mb": 1024 * peak_gib(), "worker_mb": 1024 * max(peaks.values(), default=0.0)}


def graph_folder(root: Path, num_saves: int) -> Path:
    """The folder of the synthetic world's graph, made unless it is there."""
    folder = root / f"zipf-{num_saves:.0e}"
    if not folder.is_dir():
        boards, pins, num_boards, num_pins = zipf_saves(num_saves)
        unfinished = Path(tempfile.mkdtemp(dir=root))
        build_graph(pins, boards, num_pins=num_pins, num_boards=num_boards).save(unfinished)
        unfinished.rename(folder)
    return folder


def report(num_saves: int, rows: list[Row]) -> None:
    """One block of lines of medians."""
    mid = {name: median(row[name] for row in rows) for name in rows[0]}
    share, in_cpu = mid["stage"] / (2 * mid["one_core"]), mid["pins"] / mid["one_core"] / mid["cpu_s"]
    print(f"\n{num_saves:,} saves drawn, {mid['pins']:,.0f} pins; medians of {len(rows)}")
    print(f"  one core    {mid['one_core']:>10,.0f} pins per CPU s; graph ready in {mid['prepared_s']:.2f} s")
    print(f"  stage       {mid['stage']:>10,.0f} pins/s, {mid['hops'] / 1e6:.1f} M hops/s, {mid['seconds']:.1f} s")
    print(f"  share       {share:>10.1%} of twice one core; walking is {in_cpu:.1%} of all CPU seconds")
    print(f"  per pin     {1e6 * mid['seconds'] / mid['pins']:>10.1f} µs of the stage, wall")
    print("  steps       " + ", ".join(f"{step} {mid[step]:.2f} s" for step in STEPS))
    print(f"  peak memory parent {mid['parent_mb']:,.0f} MB, worker {mid['worker_mb']:,.0f} MB")


def main() -> None:
    """Measure each size; print every round as it ends and a block per size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--saves", type=float, nargs="+", default=[1e6, 1e7])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sample", type=int, default=20_000)
    parser.add_argument("--set", action="append", default=[], metavar="walk.NAME=VALUE")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "pinsage-walk-stage")
    parser.add_argument("--one-core", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    overrides = {"cluster.num_workers": 2} | dict(part.split("=") for part in chosen.set)
    settings = load_settings(overrides=overrides)
    if chosen.one_core:
        print(json.dumps(one_core(chosen.one_core, chosen.sample, settings)))
        return
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("dask",))
    print(f"{described()}, {versions}; load {os.getloadavg()[0]:.1f}")
    chosen.folder.mkdir(parents=True, exist_ok=True)
    for num_saves in map(int, chosen.saves):
        folder, rows = graph_folder(chosen.folder, num_saves), []
        for _ in range(chosen.rounds):
            rows.append(one_core_process(folder, chosen.sample, chosen.set) | stage(folder, settings))
            print("raw " + json.dumps({name: round(value, 3) for name, value in rows[-1].items()}), flush=True)
        report(num_saves, rows)


if __name__ == "__main__":
    main()
