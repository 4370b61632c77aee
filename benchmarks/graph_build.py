"""From columns of saves to the graph in compressed rows both ways: this package beside what else does it.

    python benchmarks/graph_build.py [--saves 1e7] [--repeats 5] [--shuffled] [--python polars=PATH] [--json PATH]

Every contestant gets the int32 columns `board` and `pin` of `zipf_world`, in ascending order as the stage `pair` writes
them or shuffled, and must end with the same four arrays. Each run is a fresh process; contestants take turns. Reported
are CPU seconds of all threads without imports, compilation and reading the columns, and by how much the peak of the
resident memory rose above the columns. A peer that is not installed is skipped; --python names an interpreter that
has it.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from hardware import processor
from zipf_world import zipf_saves

Graph = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
WARM_UP = 1000


def this_package(boards, pins, num_boards: int, num_pins: int) -> Graph:
    """Two passes through buckets."""
    from pinsage.graph.build import build_graph

    graph = build_graph(pins, boards, num_pins=num_pins, num_boards=num_boards)
    return graph.pin_offsets, graph.pin_boards, graph.board_offsets, graph.board_pins


def numba_naive(boards, pins, num_boards: int, num_pins: int) -> Graph:
    """A counting sort per side that writes each value straight to its row, in numba: what one writes first."""
    # Three scatters order both sides whatever the order of the saves.
    offsets, pin_boards = _scattered(pins, boards, num_pins)
    board_offsets, board_pins = _scattered(pin_boards, _repeated(offsets), num_boards)
    return *_scattered(board_pins, _repeated(board_offsets), num_pins), board_offsets, board_pins


def numba_naive_ascending(boards, pins, num_boards: int, num_pins: int) -> Graph:
    """The same where the saves are known to ascend: one scatter for the pins, counting alone for the boards."""
    board_offsets = np.concatenate([[0], np.cumsum(np.bincount(boards, minlength=num_boards))])
    return *_scattered(pins, boards, num_pins), board_offsets, pins


def scipy_sparse(boards, pins, num_boards: int, num_pins: int) -> Graph:
    """COO to CSR, CSR to CSC."""
    from scipy import sparse

    ones = np.ones(len(pins), np.int8)
    by_board = sparse.coo_matrix((ones, (boards, pins)), shape=(num_boards, num_pins)).tocsr()
    by_board.sort_indices()
    by_pin = by_board.tocsc()
    return by_pin.indptr, by_pin.indices, by_board.indptr, by_board.indices


def numpy_argsort(boards, pins, num_boards: int, num_pins: int) -> Graph:
    """A stable argsort of each column, the other one taken in that order."""
    first = np.argsort(pins, kind="stable")
    order = np.argsort(boards[first], kind="stable")
    board_pins, ascending = pins[first][order], boards[first][order]
    pin_boards = ascending[np.argsort(board_pins, kind="stable")]
    return _offsets(pins, num_pins), pin_boards, _offsets(boards, num_boards), board_pins


def numpy_sort(boards, pins, num_boards: int, num_pins: int) -> Graph:
    """Both numbers of a save in 64 bits, sorted; once a side."""
    sides = []
    for first, second, count in ((pins, boards, num_pins), (boards, pins, num_boards)):
        keys = (first.astype(np.int64) << 32) | second
        keys.sort()
        sides += [_offsets(first, count), (keys & 0xFFFFFFFF).astype(np.int32)]
    return tuple(sides)


def pandas_sort(boards, pins, num_boards: int, num_pins: int) -> Graph:
    """sort_values by both columns, once a side."""
    import pandas as pd

    table = pd.DataFrame({"board": boards, "pin": pins})
    by_pin, by_board = table.sort_values(["pin", "board"])["board"], table.sort_values(["board", "pin"])["pin"]
    return _offsets(pins, num_pins), by_pin.to_numpy(), _offsets(boards, num_boards), by_board.to_numpy()


def polars_sort(boards, pins, num_boards: int, num_pins: int) -> Graph:
    """sort by both columns, once a side."""
    import polars as pl

    table = pl.DataFrame({"board": boards, "pin": pins})
    by_pin, by_board = table.sort("pin", "board")["board"], table.sort("board", "pin")["pin"]
    return _offsets(pins, num_pins), by_pin.to_numpy(), _offsets(boards, num_boards), by_board.to_numpy()


CONTESTANTS: dict[str, Callable[..., Graph]] = {
    "this package": this_package,
    "numba": numba_naive,
    "numba ascending": numba_naive_ascending,
    "scipy": scipy_sparse,
    "numpy sort": numpy_sort,
    "numpy argsort": numpy_argsort,
    "pandas": pandas_sort,
    "polars": polars_sort,
}


def _offsets(rows, count: int) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=count))])


def _scattered(keys, values, num_rows: int) -> tuple[np.ndarray, np.ndarray]:
    global _compiled  # noqa: PLW0603  compiled at the first call, so that the other peers need no numba
    if _compiled is None:
        from numba import njit

        _compiled = njit(_scatter)
    return _compiled(keys, values, num_rows)


_compiled = None


def _scatter(keys, values, num_rows):
    offsets = np.zeros(num_rows + 1, np.int64)
    for key in keys:
        offsets[key + 1] += 1
    for row in range(num_rows):
        offsets[row + 1] += offsets[row]
    cursor, out = offsets[:-1].copy(), np.empty(len(values), np.int32)
    for index in range(len(keys)):
        row = keys[index]
        out[cursor[row]] = values[index]
        cursor[row] += 1
    return offsets, out


def _repeated(offsets) -> np.ndarray:
    return np.repeat(np.arange(len(offsets) - 1, dtype=np.int32), np.diff(offsets))


def run(name: str, folder: Path) -> dict[str, float | int | str]:
    """Let a contestant build the graph in this process; returns its CPU seconds, its memory and a digest."""
    boards, pins, sizes = np.load(folder / "boards.npy"), np.load(folder / "pins.npy"), np.load(folder / "sizes.npy")
    build, counts = CONTESTANTS[name], [int(size) for size in sizes]
    build(boards[:WARM_UP], pins[:WARM_UP], *counts)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, began = _status_kib("VmRSS"), time.process_time()
    graph = build(boards, pins, *counts)
    seconds, peak = time.process_time() - began, _status_kib("VmHWM")
    digest = 0
    for array, dtype in zip(graph, (np.int64, np.int32, np.int64, np.int32), strict=True):
        digest = zlib.crc32(np.ascontiguousarray(array, dtype), digest)
    library = sys.modules.get(name.split(maxsplit=1)[0], np)
    return {"cpu_s": seconds, "rise_gib": (peak - before) / 2**20, "digest": digest, "version": library.__version__}


def _status_kib(name: str) -> int:
    return int(Path("/proc/self/status").read_text().split(f"{name}:")[1].split()[0])


def measured(name: str, folder: Path, python: str) -> dict[str, float | int] | str:
    """The figures of a contestant in a fresh process, or why there are none."""
    command = [python, __file__, "--contestant", name, "--folder", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return f"skipped ({error})"
    if done.returncode == 0:
        return dict(json.loads(done.stdout.splitlines()[-1]))
    reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
    return f"skipped ({reason}); install it, or name an interpreter that has it: --python '{name}=PATH'"


def write_columns(folder: Path, num_saves: int, *, shuffled: bool) -> int:
    """Write the columns that every contestant reads; returns how many saves there are."""
    boards, pins, num_boards, num_pins = zipf_saves(num_saves)
    if shuffled:
        order = np.random.default_rng(1).permutation(len(boards))
        boards, pins = boards[order], pins[order]
    np.save(folder / "boards.npy", boards)
    np.save(folder / "pins.npy", pins)
    np.save(folder / "sizes.npy", [num_boards, num_pins])
    return len(boards)


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--saves", type=float, default=1e7)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--shuffled", action="store_true", help="saves in no order")
    parser.add_argument("--only", nargs="+", default=list(CONTESTANTS), choices=CONTESTANTS)
    parser.add_argument("--python", action="append", default=[], help="contestant=interpreter")
    parser.add_argument("--json", type=Path, help="where the raw numbers go")
    parser.add_argument("--contestant", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help="where the temporary columns are written")
    chosen = parser.parse_args()
    if chosen.contestant:
        print(json.dumps(run(chosen.contestant, chosen.folder)))
        return
    interpreters = dict(pair.split("=", 1) for pair in chosen.python)
    names = [name for name in chosen.only if not (chosen.shuffled and name == "numba ascending")]
    runs: dict[str, list] = {name: [] for name in names}
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        size = write_columns(Path(folder), int(chosen.saves), shuffled=chosen.shuffled)
        order = "shuffled" if chosen.shuffled else "ascending"
        print(f"{processor()}; Python {platform.python_version()}, numpy {np.__version__}")
        print(f"{size:,} saves, {order}, {chosen.repeats} repeats")
        for _ in range(chosen.repeats):
            for name in [name for name in names if not any(isinstance(run, str) for run in runs[name])]:
                runs[name].append(measured(name, Path(folder), interpreters.get(name, sys.executable)))
    _print_table(runs)
    if chosen.json:
        chosen.json.write_text(json.dumps(runs, indent=1))


def _print_table(runs: dict[str, list]) -> None:
    medians = {name: np.median([run["cpu_s"] for run in some]) for name, some in runs.items() if "cpu_s" in some[0]}
    digests = {run["digest"] for name in medians for run in runs[name]}
    fastest = min(medians.values(), default=0.0)
    for name, some in runs.items():
        if name not in medians:
            print(f"{name:16} {some[0]}")
            continue
        seconds, rise = [run["cpu_s"] for run in some], np.median([run["rise_gib"] for run in some])
        spread = f"({min(seconds):.2f}-{max(seconds):.2f})"
        figures = f"{medians[name]:7.2f} CPU s {spread:15} {medians[name] / fastest:5.1f} x  +{rise:.2f} GiB"
        print(f"{name:16} {figures}  ({some[0]['version']})")
    if len(digests) > 1:
        sys.exit(f"the contestants built {len(digests)} different graphs")


if __name__ == "__main__":
    main()
