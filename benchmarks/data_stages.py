"""Seconds and memory of the stages on the data side, at several sizes of the same synthetic world.

    python benchmarks/data_stages.py [--sizes 1e6 1e7 1e8] [--repeats 3] [--set graph.edge_weights=both] [--json PATH]

A small catalog is written directly: dated saves of `zipf_world`, pins with an id and two words, boards with an id. Each
stage function then runs in a fresh process (compiled code comes from numba's cache on disk, made beforehand), and what
it writes is the next one's input. Reported are CPU seconds (user and system), wall seconds and the peak of the resident
memory of that process, medians over the repeats; the growth exponent is the slope of log(CPU) over log(saves).
"""

import argparse
import json
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numba
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hardware import processor
from zipf_world import zipf_saves

from pinsage.catalog.parquet_files import ROW_GROUP_ROWS, parquet_writer
from pinsage.catalog.schema import PUBLISHED_BOARDS, PUBLISHED_PINS, PUBLISHED_SAVES

STAGES = {"pair": ("ingest",), "connect": ("ingest", "pair")}
START_S, YEAR_S = 1_700_000_000, 365 * 86_400
UNDATED_SHARE = 0.1
TOPICS = 1000


def write_catalog(folder: Path, num_saves: int, seed: int = 0) -> None:
    """The tables of a published catalog, a row group at a time; saves are ordered by board, time and pin."""
    boards, pins, num_boards, num_pins = zipf_saves(num_saves, seed)
    rng = np.random.default_rng(seed)
    times = (START_S + rng.integers(0, YEAR_S, len(boards))) * 1_000_000
    times[rng.random(len(boards)) < UNDATED_SHARE] = -1
    order = np.lexsort((pins, times, boards))
    _write_saves(folder / "saves.parquet", boards[order], pins[order], times[order])
    topics = rng.integers(0, TOPICS, (num_pins, 2))
    _write_rows(folder / "pins.parquet", PUBLISHED_PINS, num_pins, lambda rows: _pins(rows, topics))
    _write_rows(folder / "boards.parquet", PUBLISHED_BOARDS, num_boards, _boards)
    pq.write_table(pa.table({"pin": pa.array([], pa.int32())}), folder / "pictures.parquet")


def _write_saves(path: Path, boards, pins, times) -> None:
    with parquet_writer(path, PUBLISHED_SAVES) as writer:
        for start in range(0, len(boards), ROW_GROUP_ROWS):
            rows = slice(start, start + ROW_GROUP_ROWS)
            when = pa.array(times[rows], pa.int64(), mask=times[rows] < 0).cast(PUBLISHED_SAVES.field("saved_at").type)
            writer.write_table(pa.table([boards[rows], pins[rows], when], schema=PUBLISHED_SAVES))


def _write_rows(path: Path, schema: pa.Schema, count: int, columns) -> None:
    with parquet_writer(path, schema) as writer:
        for start in range(0, count, ROW_GROUP_ROWS):
            writer.write_table(pa.table(columns(range(start, min(start + ROW_GROUP_ROWS, count))), schema=schema))


def _pins(rows: range, topics) -> list[pa.Array]:
    none = pa.nulls(len(rows), pa.string())
    words = [[f"topic{topic}" for topic in topics[row]] for row in rows]
    return [pa.array([f"p{row:09}" for row in rows]), none, none, none, pa.array(words)]


def _boards(rows: range) -> list[pa.Array]:
    none = pa.nulls(len(rows), pa.string())
    return [pa.array([f"b{row:09}" for row in rows]), none, none]


def run_stage(name: str, home: Path, settings: list[str]) -> dict[str, float]:
    """Run one stage function in this process; returns its CPU and wall seconds and this process's peak memory."""
    import importlib

    from pinsage.config import load_settings, parse_override
    from tasks.work import StageWork

    folders = {stage: home / stage for stage in ("ingest", *STAGES)}
    shutil.rmtree(folders[name], ignore_errors=True)
    folders[name].mkdir()
    function = getattr(importlib.import_module(f"tasks.{name}"), name)
    chosen = load_settings(overrides=dict(map(parse_override, settings)))
    began, wall = _cpu_s(), time.monotonic()
    function(StageWork(chosen, folders, folders[name], home / "scratch", home))
    figures = {"cpu_s": _cpu_s() - began, "wall_s": time.monotonic() - wall}
    return {**figures, "peak_gib": peak_gib()}


def peak_gib() -> float:
    """The largest resident memory of this process. (`ru_maxrss` would begin at what the parent had when it forked.)"""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 2**20


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def measured(name: str, home: Path, settings: list[str]) -> dict[str, float]:
    """The figures of a stage in a fresh process."""
    command = [sys.executable, __file__, "--stage", name, "--home", str(home)]
    command += [part for setting in settings for part in ("--set", setting)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measure_size(num_saves: int, folder: Path | None, repeats: int, settings: list[str]) -> dict[str, list[dict]]:
    """The figures of every stage and repeat at one size."""
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        home = Path(temporary)
        (home / "ingest").mkdir()
        write_catalog(home / "ingest", num_saves)
        found: dict[str, list[dict]] = {name: [] for name in STAGES}
        for _ in range(repeats):
            for name in STAGES:
                found[name].append(measured(name, home, settings))
    return found


def main() -> None:
    """Measure and print a table per size, and the growth exponents."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=float, nargs="+", default=[1e6, 1e7], help="saves")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--set", action="append", default=[], help="section.name=value, as the command line takes it")
    parser.add_argument("--folder", type=Path, help="where the temporary catalogs are written")
    parser.add_argument("--json", type=Path, help="where the raw numbers go")
    parser.add_argument("--stage", help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.stage:
        print(json.dumps(run_stage(chosen.stage, chosen.home, chosen.set)))
        return
    print(f"{processor()}; Python {platform.python_version()}, numba {numba.__version__}, pyarrow {pa.__version__}")
    measure_size(10_000, chosen.folder, 1, chosen.set)  # compiles
    raw = {int(size): measure_size(int(size), chosen.folder, chosen.repeats, chosen.set) for size in chosen.sizes}
    _print_tables(raw)
    if chosen.json:
        chosen.json.write_text(json.dumps(raw, indent=1))


def _print_tables(raw: dict[int, dict[str, list[dict]]]) -> None:
    for name in STAGES:
        cpu = []
        for size, stages in raw.items():
            runs = {key: [run[key] for run in stages[name]] for key in ("cpu_s", "wall_s", "peak_gib")}
            cpu.append(float(np.median(runs["cpu_s"])))
            spread = f"({min(runs['cpu_s']):.2f}-{max(runs['cpu_s']):.2f})"
            wall, peak = np.median(runs["wall_s"]), max(runs["peak_gib"])
            print(f"{name:8} {size:>11,} saves  {cpu[-1]:7.2f} CPU s {spread}  {wall:7.2f} wall s  {peak:5.2f} GiB")
        if len(cpu) > 1:
            slope = np.polyfit(np.log(list(raw)), np.log(cpu), 1)[0]
            print(f"{name:8} CPU seconds grow with saves to the power of {slope:.2f}")


if __name__ == "__main__":
    main()
