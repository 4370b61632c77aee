"""Training at the paper's sizes on one GPU: ms per iteration, share of the matrix rate, waiting, memory.

    python benchmarks/gpu_training.py                  # preset paper on a synthetic catalog of 2 M pins
    python benchmarks/gpu_training.py --tables         # by batch size 512 ... 8192 and T = 10, 20, 50 (Tables 3 and 4)
    python benchmarks/gpu_training.py --tiny           # everything small, also without a GPU: does it run?
    python benchmarks/gpu_training.py --num-pins 500000 --columns 1025      # where memory or time is short

Needs torch, numba, numpy, pyarrow, pydantic, PyYAML and safetensors, and nothing of the rest of the pipeline. m = 2048,
d = 1024, T = 50, K = 2, 500 shared and 6 hard negatives, bf16; 4,353 feature columns (visual 4,096, text 256, degree).
It drives `pinsage.training.loop.fit` itself, once per way: streamed or resident tables. Model FLOP/s are those of the
network's matrix products, forward and backward, over the rate of a large bf16 product on the same GPU.
The paper: 1,350 ms per iteration of 2,048 pairs on 16 K80 GPUs (Table 3).
"""

import argparse
import gc
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hardware import described, peak_gib
from numpy.typing import NDArray

from pinsage.batches.minibatch import NeighborSampler
from pinsage.batches.negatives import shared_negatives
from pinsage.errors import DeviceMemoryError
from pinsage.features.matrix import FeatureMatrix
from pinsage.pairs.pairs import Pairs
from pinsage.settings.schema import ModelSettings, TrainSettings
from pinsage.training.data import TrainingData
from pinsage.training.loop import fit
from pinsage.walks.neighborhood import Neighborhoods

BATCHES, NEIGHBORHOODS = (512, 1024, 2048, 4096, 8192), (10, 20, 50)
WAYS: dict[str, dict[str, Any]] = {
    "resident": {"resident": "always"},
    "streamed": {"resident": "never"},
}
LOCALITY = 200  # a pin's neighbors are among so many around it: two hops stay in the same interests
DISTINCT_ROWS = 65_536  # of features: drawing those of two million pins takes longer than the measurement
Row = dict[str, Any]


@dataclass(frozen=True)
class Sizes:
    """Of the catalog, the network and the run."""

    num_pins: int
    columns: int
    width: int
    embedding: int
    negatives: int
    batch: int
    steps: int


PAPER = Sizes(2_000_000, 4353, 2048, 1024, 500, 2048, 40)
TINY = Sizes(3_000, 40, 32, 16, 50, 64, 20)


def main() -> None:
    """Print a table."""
    chosen = options()
    sizes = TINY if chosen.tiny else PAPER
    sizes = Sizes(**{**vars(sizes), **{name: value for name, value in vars(chosen).items() if name in SIZES and value}})
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    rate = matmul_rate(device)
    name = torch.cuda.get_device_name() if device.type == "cuda" else "no GPU"
    print(f"{name}; {described('torch', 'numba', 'numpy')}; bf16 products {rate / 1e12:.2f} TFLOP/s\n")
    catalog = drawn_catalog(sizes, max(NEIGHBORHOODS))
    print("| way | batch | T | nodes | ms | pairs/s | of the matrix rate | waiting | GPU GiB | host GiB |")
    print("|---|---|---|---|---|---|---|---|---|---|", flush=True)
    rows = []
    for way, batch, neighbors in cases(chosen, sizes):
        row = measured(catalog, sizes, way, batch=batch, neighbors=neighbors, rate=rate)
        print(f"| {' | '.join(map(str, row['shown']))} |", flush=True)
        rows.append(row)
        if chosen.json:  # after each row: a lent GPU may be gone before the last
            body = {"device": name, "versions": described("torch", "numba"), "matmul_rate": rate, "rows": rows}
            Path(chosen.json).write_text(json.dumps(body, indent=1) + "\n")


SIZES = ("num_pins", "columns", "batch", "steps")


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--tables", action="store_true")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--json", help="file for the raw numbers")
    for name in SIZES:
        parser.add_argument(f"--{name.replace('_', '-')}", type=int)
    return parser.parse_args()


def cases(chosen: argparse.Namespace, sizes: Sizes) -> list[tuple[str, int, int]]:
    """The ways at the preset's sizes; or the first way by batch size and by neighbors."""
    if not chosen.tables:
        return [(way, sizes.batch, 50) for way in chosen.ways]
    batches = [batch * sizes.batch // 2048 for batch in BATCHES]
    return [(chosen.ways[0], batch, neighbors) for batch in batches for neighbors in NEIGHBORHOODS]


def drawn_catalog(sizes: Sizes, num_neighbors: int) -> TrainingData:
    """Random features; neighbors, positives and hard negatives from around each pin."""
    rng, num_pins = np.random.default_rng(0), sizes.num_pins
    reach = min(LOCALITY, num_pins // 2)

    def around(pins: NDArray[np.int64], width: int) -> NDArray[np.int32]:
        steps = (rng.standard_exponential((len(pins), width), np.float32) * (reach / 8)).astype(np.int64) + 1
        near: NDArray[np.int32] = ((pins[:, None] + steps * rng.choice((-1, 1), (len(pins), 1))) % num_pins).astype(
            np.int32
        )
        return near

    pins = np.arange(num_pins)
    some = rng.standard_normal((min(num_pins, DISTINCT_ROWS), sizes.columns), np.float32)
    weights = np.sort(rng.random((num_pins, num_neighbors), np.float32), axis=1)[:, ::-1]
    query = rng.integers(num_pins, size=min(1_000_000, 20 * num_pins))
    none = Pairs(np.empty(0, np.int32), np.empty(0, np.int32))
    return TrainingData(
        features=OnceMeasured({"visual": np.resize(some, (num_pins, sizes.columns))}),
        neighborhoods=Neighborhoods(around(pins, num_neighbors), np.ascontiguousarray(weights)),
        hard_negatives=around(pins, 50),
        train=Pairs(query.astype(np.int32), around(query, 1)[:, 0]),
        validation=none,
    )


class OnceMeasured(FeatureMatrix):
    """Features whose moments are taken once, from the rows that differ: of 35 GB they would take minutes."""

    @cached_property
    def _known_moments(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return FeatureMatrix({"visual": self.block("visual")[:DISTINCT_ROWS]}).moments()

    def moments(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """As they were the first time."""
        return self._known_moments


@dataclass
class Marks:
    """The moments at which the loop read its losses: all work queued before them is done."""

    times: list[tuple[int, float]] = field(default_factory=list)

    def __call__(self, metrics: Mapping[str, float], step: int) -> None:
        """Called by the loop every `log_every` steps."""
        self.times.append((step, time.perf_counter()))

    def seconds_a_step(self) -> float:
        """From the first to the last mark: what comes before warms up."""
        (first, began), (last, ended) = self.times[0], self.times[-1]
        return (ended - began) / (last - first)


def measured(catalog: TrainingData, sizes: Sizes, way: str, *, batch: int, neighbors: int, rate: float) -> Row:
    """One training of some steps."""
    model = ModelSettings(num_layers=2, hidden_dim=sizes.width, embedding_dim=sizes.embedding, id_embedding="never")
    train = TrainSettings(
        steps=sizes.steps, batch_size=batch, num_negatives=sizes.negatives, max_hard_negatives=6, curriculum=False,
        loss="max_margin", precision="bf16",
        log_every=max(1, sizes.steps // 4), num_processes=1, **WAYS[way],
    )  # fmt: skip
    data, marks = with_neighbors(catalog, neighbors), Marks()
    nodes = node_counts(data, train)
    row: Row = {"way": way, "batch": batch, "neighbors": neighbors, "nodes": nodes}
    if torch.cuda.is_available():
        gc.collect()  # an error's traceback holds the tensors of its step
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    try:
        result = fit(data, model, train, log_metrics=marks)
    except DeviceMemoryError as error:
        return {**row, "shown": [way, batch, neighbors, nodes[-1], str(error)], "error": str(error)}
    seconds = marks.seconds_a_step()
    share = flops(nodes, sizes) / seconds / rate
    peak = torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else 0.0
    figures = {
        "seconds": seconds,
        "share": share,
        "wait_share": result.wait_share,
        "gpu_gib": peak,
        "host_gib": peak_gib(),
    }
    shown = [
        way, batch, neighbors, f"{nodes[-1]:,}", f"{seconds * 1e3:.0f}", f"{batch / seconds:,.0f}", f"{share:.0%}",
        f"{result.wait_share:.1%}", f"{peak:.1f}", f"{peak_gib():.1f}",
    ]  # fmt: skip
    return {**row, **figures, "shown": shown}


def with_neighbors(catalog: TrainingData, count: int) -> TrainingData:
    """The catalog with the first `count` neighbors of each pin."""
    neighbors, weights = (np.ascontiguousarray(table[:, :count]) for table in catalog.tables())
    weights /= weights.sum(axis=1, keepdims=True)
    return TrainingData(
        catalog.features, Neighborhoods(neighbors, weights), catalog.hard_negatives, catalog.train, catalog.validation
    )


def node_counts(data: TrainingData, train: TrainSettings) -> tuple[int, ...]:
    """n_0, n_1, n_2 of a minibatch like those to come."""
    rng = np.random.default_rng(1)
    rows = rng.integers(len(data.train), size=train.batch_size)
    query, candidates = data.train.query[rows], data.candidates()
    hard = candidates[query[:, None], rng.integers(candidates.shape[1], size=(len(query), train.max_hard_negatives))]
    negatives = shared_negatives(data.features.num_pins, train.num_negatives, rng)
    targets = np.concatenate([query, data.train.positive[rows], negatives, hard.ravel()])
    subgraph, _ = NeighborSampler(*data.tables(), num_layers=2).sample(targets)
    return subgraph.sizes


def flops(nodes: tuple[int, ...], sizes: Sizes) -> float:
    """Operations of the matrix products of a step: forward, and twice that backward but for the inputs' gradients."""
    n0, n1, n2 = nodes
    inputs, m, d = sizes.columns, sizes.width, sizes.embedding
    at_features = n2 * inputs * m + n1 * inputs * m
    inside = n1 * m * m + n1 * m * m + 2 * n0 * m * m + n0 * m * m + n0 * m * d
    return 2.0 * (2 * at_features + 3 * inside)


def matmul_rate(device: torch.device) -> float:
    """Operations per second of a large bf16 product, the best of several."""
    size = 8192 if device.type == "cuda" else 512
    one = torch.randn(size, size, device=device, dtype=torch.bfloat16)
    best = 0.0
    for _ in range(10):
        began = now(device)
        for _ in range(5):
            one @ one
        best = max(best, 5 * 2 * size**3 / (now(device) - began))
    return best


def now(device: torch.device) -> float:
    """The time, when all queued work is done."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


if __name__ == "__main__":
    main()
