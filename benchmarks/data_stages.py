"""Seconds and memory of the stages on the data side, at several sizes of the same synthetic world.

    python benchmarks/data_stages.py [--sizes 1e6 1e7 1e8] [--repeats 3] [--set graph.edge_weights=both] [--json PATH]

The world is that of benchmarks/ingest.py: Parquet tables with string ids, some rows of which cannot be used. The stages
ingest, pair, connect, featurize_saves and walk each run in a fresh process (compiled code comes from numba's cache on
disk, made beforehand), and what one writes is the next one's input. Reported are CPU seconds (user and system, workers
included), wall seconds, and the peaks of resident memory, memory maps included: of the largest process, and of all
together. Medians over the repeats; the growth exponent is the slope of log(CPU) over log(saves).
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from hardware import cpu_seconds, described, peak_gib, watched_children
from ingest import make_world

STAGES = ("ingest", "pair", "connect", "featurize_saves", "walk")


def run_stage(name: str, dataset: Path, home: Path, settings: list[str]) -> dict[str, float]:
    """Run one stage function in this process; returns CPU and wall seconds, and the peaks of memory in GiB."""
    import importlib

    from pinsage.settings.loading import load_settings, parse_override
    from tasks.running.work import StageWork

    folders = {stage: home / stage for stage in STAGES}
    shutil.rmtree(folders[name], ignore_errors=True)
    folders[name].mkdir()
    function = getattr(importlib.import_module(f"tasks.{name}"), name)
    chosen = load_settings(overrides={"data.dataset": str(dataset), **dict(map(parse_override, settings))})
    work = StageWork(chosen, folders, folders[name], home / "scratch", home, identity={"base": ""})
    began, wall = cpu_seconds(), time.monotonic()
    with watched_children() as peaks:
        function(work)
    figures = {"cpu_s": cpu_seconds() - began, "wall_s": time.monotonic() - wall}
    return {**figures, "peak_gib": max(peak_gib(), *peaks.values(), 0.0), "all_gib": peak_gib() + sum(peaks.values())}


def measured(name: str, dataset: Path, home: Path, settings: list[str]) -> dict[str, float]:
    """The figures of a stage in a fresh process."""
    command = [sys.executable, __file__, "--stage", name, "--dataset", str(dataset), "--home", str(home)]
    command += [part for setting in settings for part in ("--set", setting)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measure_size(
    num_saves: int, root: Path, repeats: int, settings: list[str], stages: list[str]
) -> dict[str, list[dict]]:
    """The figures of every stage and repeat at one size."""
    dataset = root / f"world-{num_saves}"
    if not dataset.is_dir():
        make_world(dataset, num_saves)
    found: dict[str, list[dict]] = {name: [] for name in stages}
    with tempfile.TemporaryDirectory(dir=root) as home:
        for _ in range(repeats):
            for name in stages:
                found[name].append(measured(name, dataset, Path(home), settings))
                print(f"raw {num_saves} {name} {json.dumps(found[name][-1])}", flush=True)
    return found


def main() -> None:
    """Measure and print a table per size, and the growth exponents."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=float, nargs="+", default=[1e6, 1e7], help="saves")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES), help="those before the walk, say")
    parser.add_argument("--set", action="append", default=[], help="section.name=value, as the command line takes it")
    parser.add_argument(
        "--folder", type=Path, help="where the worlds are made and kept; a temporary folder if left out"
    )
    parser.add_argument("--json", type=Path, help="where the raw numbers go")
    parser.add_argument("--stage", help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--dataset", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.stage:
        print(json.dumps(run_stage(chosen.stage, chosen.dataset, chosen.home, chosen.set)))
        return
    print(described("numba", "numpy", "pyarrow", "dask"))
    with tempfile.TemporaryDirectory() as temporary:
        root = chosen.folder or Path(temporary)
        measure_size(30_000, root, 1, chosen.set, chosen.stages)  # compiles
        raw = {
            int(size): measure_size(int(size), root, chosen.repeats, chosen.set, chosen.stages) for size in chosen.sizes
        }
    _print_tables(raw)
    if chosen.json:
        chosen.json.write_text(json.dumps(raw, indent=1))


def _print_tables(raw: dict[int, dict[str, list[dict]]]) -> None:
    for name in next(iter(raw.values())):
        cpu = []
        for size, stages in raw.items():
            runs = {key: [run[key] for run in stages[name]] for key in ("cpu_s", "wall_s", "peak_gib", "all_gib")}
            cpu.append(float(np.median(runs["cpu_s"])))
            spread = f"({min(runs['cpu_s']):.2f}-{max(runs['cpu_s']):.2f})"
            wall, peak, whole = np.median(runs["wall_s"]), max(runs["peak_gib"]), max(runs["all_gib"])
            seconds = f"{cpu[-1]:8.2f} CPU s {spread}  {wall:8.2f} wall s"
            print(f"{name:15} {size:>11,} saves  {seconds}  {peak:5.2f} GiB ({whole:.2f} in all)")
        if len(cpu) > 1:
            slope = np.polyfit(np.log(list(raw)), np.log(cpu), 1)[0]
            print(f"{name:15} CPU seconds grow with saves to the power of {slope:.2f}")


if __name__ == "__main__":
    main()
