"""Peak memory of a worker of batch inference by number of pins; see `inference.py --memory`.

Each size runs in a process of its own, in eight parts, with d = m = 128, 256 feature columns, T = 50 and one layer,
which has every kind of pass. Files lie in a temporary folder; the features are zeros that take no blocks on the disk. A
worker's own memory is what counts: pages of maps are the files' and go when somebody needs the room; both are given.
"""

import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hardware import peak_gib

from pinsage.cluster.exchange import SharedFolders
from pinsage.inference import InferenceJob, embed_by_parts
from pinsage.model.file import save_network
from pinsage.model.network import PinSageNetwork
from pinsage.model.shape import NetworkShape

T, DIM, PARTS = 50, 128, 8
BLOCKS = {
    "featurize_visual": {"visual": 246, "has_picture": 0},
    "featurize_text": {"text": 3, "has_text": 0},
    "featurize_saves": {"spectral": 3, "has_saves": 0, "log_degree": 0},
}


def memory_table(sizes: list[int]) -> list[dict[str, Any]]:
    """One row per number of pins, each from a process of its own."""
    rows = []
    for num_pins in sizes:
        command = [sys.executable, __file__, str(num_pins)]
        rows.append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))
        print(rows[-1], flush=True)
    return rows


def measured(num_pins: int) -> dict[str, Any]:
    """The memory before and at the peak, of the process alone and with its maps."""
    with tempfile.TemporaryDirectory() as folder:
        job = job_of(Path(folder), num_pins)
        before, began = own_mib(), time.process_time()
        with PeakOwn() as peak:
            embed_by_parts(job, SharedFolders(), Inline(), num_parts=PARTS)
        return {
            "pins": num_pins, "own_mib_before": before, "own_mib_peak": peak.mib,
            "with_maps_mib_peak": 1024 * peak_gib(), "cpu_s": time.process_time() - began,
        }  # fmt: skip


def job_of(folder: Path, num_pins: int) -> InferenceJob:
    """Artifacts as the stages publish them."""
    names = ("train", *BLOCKS, "walk", "scratch", "out")
    for name in names:
        (folder / name).mkdir()
    widths = []
    for stage, blocks in BLOCKS.items():
        for name, width in blocks.items():
            shape = (num_pins, width) if width else (num_pins,)
            dtype = bool if name.startswith("has_") else np.float32
            block = np.lib.format.open_memmap(folder / stage / f"{name}.npy", "w+", dtype, shape)
            if dtype is bool:
                block[:] = True
            widths.append((name, width or 1))
    rng, shape = np.random.default_rng(0), (num_pins, T)
    neighbors = np.lib.format.open_memmap(folder / "walk/neighbors.npy", "w+", np.int32, shape)
    weights = np.lib.format.open_memmap(folder / "walk/weights.npy", "w+", np.float32, shape)
    for start in range(0, num_pins, 50_000):
        neighbors[start : start + 50_000] = rng.integers(num_pins, size=neighbors[start : start + 50_000].shape)
        weights[start : start + 50_000] = 1 / T
    save_network(PinSageNetwork(NetworkShape(tuple(widths), 1, DIM, DIM, "importance")), folder / "train")
    inputs = {name: folder / name for name in names[:-2]}
    return InferenceJob(inputs, folder / "scratch", folder / "out" / "embeddings.npy")


class Inline:
    """Runs the parts in this process, one after another, as one worker does."""

    num_threads = 1

    def run(self, function, parts, *, label, sizes=None, on_result):
        """The results of the parts."""
        results = [function(*part) for part in parts]
        for result in results:
            on_result(result)
        return results


class PeakOwn:
    """The largest memory of this process without file maps while the block runs: `mib`."""

    def __enter__(self) -> "PeakOwn":
        self.mib, self._stop = own_mib(), threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.01):
            self.mib = max(self.mib, own_mib())


def own_mib() -> float:
    """Resident memory of this process that no file backs."""
    return int(Path("/proc/self/status").read_text().split("RssAnon:")[1].split()[0]) / 1024


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps(measured(int(sys.argv[1]))))
