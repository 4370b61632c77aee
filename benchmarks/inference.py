"""Batch inference layer by layer beside the naive way, which expands K hops around every batch, as DGL's example does.

    export OMP_NUM_THREADS=1
    python benchmarks/inference.py                # 200,000 pins, T = 50, K = 2, m = 256, d = 128, 256 feature columns
    python benchmarks/inference.py --gpu          # m = 2048, d = 1024 on a GPU
    python benchmarks/inference.py --memory       # peak memory of a worker at 0.2 M, 1 M and 5 M pins; 8 GB of /tmp

One model, one graph, one pinned core, in turns; seconds are CPU seconds (wall seconds on a GPU) and figures medians.
The naive way embeds a sample of batches: each gets its sub-graph, without repeated pins, from our sampler, which is
quicker than DGL's, and the network's forward pass. DGL's example has 32 pins in a batch. Both ways must give the same
vectors. The matrix rate is that of the same products, of the same shapes, with nothing between them.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hardware import described, pin_to_one_core
from inference_memory import memory_table
from minibatch import drawn_tables
from numpy.typing import NDArray

from pinsage.batches.minibatch import NeighborSampler
from pinsage.features.matrix import FeatureMatrix
from pinsage.inference import embed_all
from pinsage.model.layerwise import CHUNK
from pinsage.model.network import PinSageNetwork, SubgraphTensors
from pinsage.model.shape import NetworkShape
from pinsage.training.device import cpu_has_bf16
from pinsage.walks.neighborhood import Neighborhoods

LAYERS, RESULTS = 2, Path(__file__).parent / "results" / "inference.json"


def main() -> None:
    """Measure, print and keep the numbers."""
    chosen = options()
    if chosen.gpu and not torch.cuda.is_available():
        raise SystemExit("PyTorch finds no GPU here: --gpu needs one, and a PyTorch that is built with CUDA.")
    if not chosen.gpu:
        pin_to_one_core()
        torch.set_num_threads(1)
    if chosen.memory:
        keep(chosen.results, "memory", {"rows": memory_table(chosen.sizes)})
    elif chosen.gpu:
        gpu = torch.cuda.get_device_name()
        for numbers in compared(chosen, torch.device("cuda"), hidden=2048, dim=1024):
            keep(chosen.results, "gpu", {"gpu": gpu, **numbers})
    else:
        for numbers in compared(chosen, torch.device("cpu"), hidden=256, dim=128):
            keep(chosen.results, "cpu", numbers)


def compared(chosen: argparse.Namespace, device: torch.device, *, hidden: int, dim: int) -> Iterator[dict[str, Any]]:
    """After each turn, since a long run may be ended early: the seconds of every way, and what follows from them."""
    rng = np.random.default_rng(0)
    near = Neighborhoods(*drawn_tables(rng, chosen.pins))
    features = FeatureMatrix({"visual": rng.standard_normal((chosen.pins, chosen.features), np.float32)})
    shape = NetworkShape((("visual", chosen.features),), LAYERS, hidden, dim, "importance")
    network = PinSageNetwork(shape).eval().to(device)
    naive = Naive(network, features, near)
    naive.embed(np.arange(32, dtype=np.int32))  # compiles
    seconds: dict[str, list[float]] = {}
    difference, cosine, in_bf16 = 0.0, 1.0, "bf16" in product_types(device)
    for _ in range(chosen.turns):
        vectors = timed(seconds, "ours", device, lambda: embed_all(network, features, near))
        if in_bf16:
            with torch.autocast(device.type, torch.bfloat16):
                rough = timed(seconds, "ours in bf16", device, lambda: embed_all(network, features, near))
            cosine = min(cosine, float((vectors * rough).sum(axis=1).min()))
        for name, dtype in product_types(device).items():
            timed(
                seconds, f"products in {name}", device, lambda dtype=dtype: multiply(shape, chosen.pins, dtype, device)
            )
        for size in chosen.batch:
            batches = [rng.choice(chosen.pins, size, replace=False).astype(np.int32) for _ in range(chosen.batches)]
            made = timed(seconds, str(size), device, lambda some=batches: [naive.embed(one) for one in some])
            for pins, embeddings in zip(batches, made, strict=True):
                difference = float(np.maximum(difference, np.abs(vectors[pins] - embeddings).max()))  # keeps a NaN
        check(vectors, difference, 1e-5 if device.type == "cpu" else 1e-4)
        yield summary(chosen, seconds, difference, cosine)


def check(vectors: NDArray[np.float32], difference: float, allowed: float) -> None:
    """Stop if the two ways differ, or if what they agree on are no directions."""
    lengths = np.linalg.norm(vectors, axis=1)
    if not np.all((lengths == 0) | (np.abs(lengths - 1) < 1e-4)) or not lengths.any():
        raise SystemExit("the embeddings are not of unit length")
    if not difference <= allowed:  # a GPU's kernels, and with them the order of sums, depend on the shapes
        raise SystemExit(f"the two ways differ by {difference:.1e}, where {allowed:.0e} is allowed")


class Naive:
    """Embeds each batch from its own sub-graph of K hops: latent vectors are computed again for every batch."""

    def __init__(self, network: PinSageNetwork, features: FeatureMatrix, near: Neighborhoods) -> None:
        self._network, self._features, self._device = network, features, network.mean.device
        self._sampler = NeighborSampler(near.neighbors, near.weights, num_layers=LAYERS)

    def embed(self, pins: NDArray[np.int32]) -> NDArray[np.float32]:
        """The embeddings of a batch: float32 [n, d]."""
        subgraph, _ = self._sampler.sample(pins)
        rows = torch.from_numpy(self._features.rows(subgraph.nodes)).to(self._device)
        with torch.inference_mode():
            made = self._network(rows, SubgraphTensors.of(subgraph, self._device))
        vectors: NDArray[np.float32] = made.cpu().numpy()
        order = {int(pin): place for place, pin in enumerate(subgraph.nodes[: len(pins)])}
        return vectors[[order[int(pin)] for pin in pins]]


def product_types(device: torch.device) -> dict[str, torch.dtype]:
    """float32, and bf16 where the hardware multiplies in it."""
    has_bf16 = torch.cuda.is_bf16_supported() if device.type == "cuda" else cpu_has_bf16()
    return {"float32": torch.float32, **({"bf16": torch.bfloat16} if has_bf16 else {})}


def multiply(shape: NetworkShape, num_pins: int, dtype: torch.dtype, device: torch.device) -> None:
    """The matrix products of one inference, from the same chunk again and again into the same memory."""
    wide, m, d = shape.num_features, shape.hidden_dim, shape.embedding_dim
    widths = (wide, *[m] * (LAYERS - 1))
    layers = [product for width in widths for product in ((width, m), (width, m), (m, m))]  # Q; W of own and of near
    for inner, outer in [*layers, (m, m), (m, d)]:  # the last two are the head's
        left = torch.ones(CHUNK, inner, dtype=dtype, device=device)
        right = torch.ones(outer, inner, dtype=dtype, device=device).t()
        out = torch.empty(CHUNK, outer, dtype=dtype, device=device)
        for _ in range(round(num_pins / CHUNK)):
            torch.mm(left, right, out=out)


def timed(seconds: dict[str, list[float]], name: str, device: torch.device, way: Callable[[], Any]) -> Any:
    """The result of a way; its seconds are added to those of its name."""
    began = clock(device)
    made = way()
    seconds.setdefault(name, []).append(clock(device) - began)
    return made


def clock(device: torch.device) -> float:
    """CPU seconds, so that other work on this machine does not count; on a GPU, wall seconds when it is done."""
    if device.type == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def summary(
    chosen: argparse.Namespace, seconds: dict[str, list[float]], difference: float, cosine: float
) -> dict[str, Any]:
    """Print the ratios, and return them with the raw seconds."""
    ours = statistics.median(seconds["ours"])
    times = {  # how many times as fast, turn by turn
        size: statistics.median(
            naive / size / chosen.batches * chosen.pins / own
            for naive, own in zip(seconds[str(size)], seconds["ours"], strict=True)
        )
        for size in chosen.batch
    }
    shares = {
        name: statistics.median(one / own for one, own in zip(took, seconds["ours"], strict=True))
        for name, took in seconds.items()
        if name.startswith("products")
    }
    print(f"{len(seconds['ours'])} turns: {chosen.pins:,} pins in {ours:.1f} s, largest difference {difference:.1e}")
    for size, ratio in times.items():
        print(f"{ratio:8.1f} times the naive way in batches of {size}")
    for name, share in shares.items():
        print(f"{share:8.0%} of the rate of the {name}")
    if "ours in bf16" in seconds:
        quicker = ours / statistics.median(seconds["ours in bf16"])
        print(f"{quicker:8.1f} times as fast in bf16; the least alike embedding has cosine {cosine:.5f} with its own")
    sizes = {"pins": chosen.pins, "features": chosen.features, "batches_timed": chosen.batches}
    return {
        **sizes,
        "difference": difference,
        "cosine_in_bf16": cosine,
        "times_naive": times,
        "share_of_rate": shares,
        "seconds": seconds,
    }


def keep(path: Path, part: str, numbers: dict[str, Any]) -> None:
    """Write the numbers of a part beside those of the other parts."""
    before = json.loads(path.read_text()) if path.exists() else {}
    command = " ".join(["python benchmarks/inference.py", *sys.argv[1:]])
    before[part] = {"command": command, "hardware": described("torch", "numba", "numpy"), **numbers}
    path.write_text(json.dumps(before, indent=1) + "\n")


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pins", type=int, default=200_000)
    parser.add_argument("--features", type=int, default=256, help="feature columns")
    parser.add_argument(
        "--batch", type=int, nargs="+", default=[32, 512, 2048], help="pins in a batch of the naive way"
    )
    parser.add_argument("--batches", type=int, default=2, help="batches of the naive way in a turn")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--gpu", action="store_true", help="m = 2048, d = 1024, on a GPU")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file for the numbers")
    parser.add_argument("--memory", action="store_true", help="peak memory of a worker by number of pins")
    parser.add_argument("--sizes", type=int, nargs="+", default=[200_000, 1_000_000, 5_000_000], help="of --memory")
    return parser.parse_args()


if __name__ == "__main__":
    main()
