"""From Parquet tables with string ids to numbered, unique, ordered saves: this project beside polars and pandas.

    python benchmarks/ingest.py [--sizes 1e6 1e7] [--repeats 3] [--contestants ours polars pandas] [--json raw.json]
    PEER_PYTHON=/path/to/other/venv/bin/python python benchmarks/ingest.py      # where polars and pandas are installed

Every contestant reads the same tables, numbers pins and boards by ascending id, drops saves that repeat an earlier one
or name what does not exist, sorts by board, time and pin, and writes Parquet with zstd. This project also judges every
row and writes the rejected ones down with their reason. The world: benchmarks/zipf_world.py with ids of ten characters,
2 % of the saves repeated, 1 % of nobody's pin, 0.5 % without a usable id, in random order, in files of several row
groups. Each run is a process of its own and begins when its libraries are imported; contestants take turns; printed
are medians.
"""

import argparse
import importlib
import importlib.metadata
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from hardware import processor
from zipf_world import zipf_saves

ROOT = Path(__file__).parents[1]
WARM_UP = 30_000
ROW_GROUP, FILE_GROUPS = 1_000_000, 10
REPEATED, DANGLING, UNUSABLE = 0.02, 0.01, 0.005
CONTESTANTS = ("ours", "polars", "pandas")
EPOCH_2023, YEAR_US = 1_672_531_200_000_000, 31_536_000_000_000
INSTANT = pa.timestamp("us", "UTC")
WORDS = np.array("red blue old small wooden garden kitchen summer paper glass".split())


def make_world(folder: Path, num_saves: int) -> None:
    """Write pins, boards and saves as Parquet below `folder`."""
    rng = np.random.default_rng(7)
    boards, pins, num_boards, num_pins = zipf_saves(num_saves)
    order = rng.permutation(len(boards))
    boards, pins = boards[order], pins[order]
    del order
    for name in ("pins", "boards"):
        count, letter = (num_pins, "p") if name == "pins" else (num_boards, "b")
        shuffled = rng.permutation(count)
        _write(
            folder / name, count, lambda part, name=name, letter=letter, rows=shuffled: _nodes(name, letter, rows[part])
        )
    _write(folder / "saves", len(boards), lambda part: _saves(rng, boards[part], pins[part]))


def _ids(letter: str, numbers: np.ndarray) -> pa.Array:
    scrambled = (numbers.astype(np.int64) * 387_420_489 + 12_345) % 1_000_000_007
    return pc.binary_join_element_wise(letter, pc.utf8_lpad(pa.array(scrambled).cast(pa.string()), 10, "0"), "")


def _nodes(name: str, letter: str, numbers: np.ndarray) -> pa.Table:
    first, second = (pa.array(WORDS[numbers // step % 10]) for step in (1, 10))
    titles = pc.binary_join_element_wise(first, second, pa.array(numbers).cast(pa.string()), " ")
    return pa.table({f"{name[:-1]}_id": _ids(letter, numbers), "title": titles})


def _saves(rng: np.random.Generator, boards: np.ndarray, pins: np.ndarray) -> pa.Table:
    again = rng.integers(0, len(boards), int(len(boards) * REPEATED))
    rows = rng.permutation(np.concatenate([np.arange(len(boards)), again]))
    is_dangling, is_unusable = rng.random(len(rows)) < DANGLING, rng.random(len(rows)) < UNUSABLE
    ids = _ids("p", np.where(is_dangling, pins[rows].astype(np.int64) + 500_000_000, pins[rows]))
    bad = pa.array(["", None, "x" * 300] * (len(rows) // 3 + 1))[: len(rows)]
    times = pa.array(EPOCH_2023 + rng.integers(0, YEAR_US, len(rows))).cast(INSTANT)
    pin_ids = pc.if_else(pa.array(is_unusable), bad, ids)
    return pa.table({"board_id": _ids("b", boards[rows]), "pin_id": pin_ids, "saved_at": times})


def _write(folder: Path, count: int, made: object) -> None:
    folder.mkdir(parents=True)
    for number, start in enumerate(range(0, count, ROW_GROUP * FILE_GROUPS)):
        writer = None
        for first in range(start, min(start + ROW_GROUP * FILE_GROUPS, count), ROW_GROUP):
            table = made(slice(first, min(first + ROW_GROUP, count)))
            writer = writer or pq.ParquetWriter(folder / f"part-{number:04d}.parquet", table.schema)
            writer.write_table(table)
        writer.close()


def run_ours(data: Path, out: Path) -> dict[str, int]:
    """This project's ingest."""
    from pinsage.ingest.ingest import ingest_dataset
    from pinsage.settings.schema import DataSettings

    done = ingest_dataset(DataSettings(dataset=str(data), max_bad_share=0.2), out, now=datetime.now(UTC))
    return {count.table: count.kept for count in done.counts if count.table != "pictures"}


def run_polars(data: Path, out: Path) -> dict[str, int]:
    """The same with polars, lazily, so that its optimizer and its streaming engine may do what they can."""
    import polars as pl

    counts = {}
    nodes = {}
    for name, key in (("pins", "pin_id"), ("boards", "board_id")):
        table = pl.read_parquet(data / name / "*.parquet").filter(pl.col(key).str.len_chars().is_between(1, 128))
        table = table.unique(key, keep="first").sort(key)
        table.write_parquet(out / f"{name}.parquet", compression="zstd", compression_level=1)
        nodes[name] = table.select(key).with_row_index(name[:-1]).with_columns(pl.col(name[:-1]).cast(pl.Int32)).lazy()
        counts[name] = table.height
        del table
    saves = (
        pl.scan_parquet(data / "saves" / "*.parquet")
        .join(nodes["boards"], on="board_id")
        .join(nodes["pins"], on="pin_id")
        .group_by("board", "pin")
        .agg(pl.col("saved_at").min())
        .sort("board", "saved_at", "pin")
        .collect(engine="streaming")
    )
    saves.write_parquet(out / "saves.parquet", compression="zstd", compression_level=1)
    return counts | {"saves": saves.height}


def run_pandas(data: Path, out: Path) -> dict[str, int]:
    """The same with pandas."""
    import pandas as pd

    nodes = {}
    for name, key in (("pins", "pin_id"), ("boards", "board_id")):
        table = pd.read_parquet(data / name)
        table = table[table[key].str.len().between(1, 128)].drop_duplicates(key).sort_values(key, ignore_index=True)
        table.to_parquet(out / f"{name}.parquet", compression="zstd")
        nodes[name] = pd.Index(table[key])
        del table
    saves = pd.read_parquet(data / "saves")
    saves["board"] = nodes["boards"].get_indexer(saves.pop("board_id")).astype("int32")
    saves["pin"] = nodes["pins"].get_indexer(saves.pop("pin_id")).astype("int32")
    saves = saves[(saves["board"] >= 0) & (saves["pin"] >= 0)]
    saves = saves.sort_values(["board", "saved_at", "pin"], ignore_index=True).drop_duplicates(["board", "pin"])
    saves.to_parquet(out / "saves.parquet", compression="zstd", index=False)
    return {"pins": len(nodes["pins"]), "boards": len(nodes["boards"]), "saves": len(saves)}


RUNS = {
    "ours": (run_ours, "pinsage.ingest.ingest"),
    "polars": (run_polars, "polars"),
    "pandas": (run_pandas, "pandas"),
}


def contestant(name: str, data: Path) -> None:
    """Run one contestant in this process and print what it took as JSON."""
    run, module = RUNS[name]
    sys.path.insert(0, str(ROOT))
    importlib.import_module(module)
    with tempfile.TemporaryDirectory(dir=data.parent) as out:
        began, cpu = time.perf_counter(), time.process_time()
        counts = run(data, Path(out))
        taken = {"wall_s": time.perf_counter() - began, "cpu_s": time.process_time() - cpu}
        written = sum(path.stat().st_size for path in Path(out).iterdir())
    version = sys.modules[module.split(".")[0]].__version__
    print(json.dumps(taken | {"version": version, "peak_gb": peak_gb(), "written_gb": written / 1e9, "counts": counts}))


def peak_gb() -> float:
    """The most memory this process has held, in GB; `ru_maxrss` would count what its parent held before it."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) * 1024 / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def can_run(name: str) -> bool:
    """Tell if a contestant's libraries are there, and how to install them if not."""
    probe = subprocess.run(
        [_python(name), "-c", f"import {RUNS[name][1].split('.')[0]}, pyarrow"], check=False, cwd=ROOT
    )
    if probe.returncode:
        print(f"{name} is skipped: {_python(name)} cannot import it. Install the peers beside this project:")
        print(
            "  python -m venv peers; peers/bin/pip install polars pandas pyarrow; export PEER_PYTHON=peers/bin/python"
        )
    return not probe.returncode


def _python(name: str) -> str:
    return sys.executable if name == "ours" else os.environ.get("PEER_PYTHON", sys.executable)


def measured(name: str, data: Path) -> list[dict]:
    """Measure one contestant in a fresh process; nothing comes back of one that failed, which is told."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(data.parent / "bytecode")
    command = [_python(name), __file__, "--run", name, "--data", str(data)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if answer.returncode:
        print(f"{name} failed with code {answer.returncode}: {answer.stderr.strip().splitlines()[-1:]}")
        return []
    return [json.loads(answer.stdout.strip().splitlines()[-1])]


def report(sizes: list[int], raw: dict[str, dict[int, list[dict]]]) -> None:
    """Print medians per size and how they grow."""
    for size in sizes:
        for name, by_size in raw.items():
            for run in by_size[size][:1]:
                wall, cpu, peak = (_median(by_size[size], key) for key in ("wall_s", "cpu_s", "peak_gb"))
                kept = f"{run['counts']['saves']:,} saves kept, {run['written_gb']:.2f} GB written"
                figures = f"{wall:8.2f} s wall {cpu:8.2f} s CPU {peak:6.2f} GB peak"
                print(f"{size:>12,} {name:8}{run['version']:>8} {figures}  ({kept}, {len(by_size[size])} runs)")
    for name, by_size in raw.items():
        for small, large in pairwise([size for size in sizes if by_size[size]]):
            grown = np.log(_median(by_size[large], "cpu_s") / _median(by_size[small], "cpu_s")) / np.log(large / small)
            print(f"{name}: CPU grows from {small:,} to {large:,} as saves^{grown:.2f}")


def _median(runs: list[dict], key: str) -> float:
    return float(np.median([run[key] for run in runs]))


def main() -> None:
    """Measure and print one table, or run one contestant."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=float, nargs="+", default=[1e6, 1e7])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--contestants", nargs="+", choices=CONTESTANTS, default=CONTESTANTS)
    parser.add_argument("--json", type=Path, help="file for the raw numbers")
    parser.add_argument(
        "--folder", type=Path, help="where the worlds are made and kept; a temporary folder if left out"
    )
    parser.add_argument("--run", choices=CONTESTANTS, help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.run:
        contestant(chosen.run, chosen.data)
    else:
        compare(chosen)


def compare(chosen: argparse.Namespace) -> None:
    """Let the contestants take turns on worlds of each size."""
    versions = {name: importlib.metadata.version(name) for name in ("numpy", "duckdb", "pyarrow")}
    print(f"{processor()}; Python {platform.python_version()}, {versions}")
    root = chosen.folder or Path(tempfile.mkdtemp(prefix="pinsage-ingest-"))
    names, sizes = [name for name in chosen.contestants if can_run(name)], [int(size) for size in chosen.sizes]
    raw: dict[str, dict[int, list[dict]]] = {name: {size: [] for size in sizes} for name in names}
    try:
        for name in names:
            measured(name, world(root, WARM_UP))  # writes byte code
        for size, _, name in product(sizes, range(chosen.repeats), names):
            raw[name][size] += measured(name, world(root, size))
    finally:
        if not chosen.folder:
            shutil.rmtree(root, ignore_errors=True)
    report(sizes, raw)
    if chosen.json:
        chosen.json.write_text(json.dumps({"processor": processor(), "versions": versions, "runs": raw}, indent=1))


def world(root: Path, size: int) -> Path:
    """The folder of a world with so many saves, made now if it is not there."""
    folder = root / f"world-{size}"
    if not folder.exists():
        make_world(folder, size)
    return folder


if __name__ == "__main__":
    main()
