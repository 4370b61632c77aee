"""A GPU whose memory does not hold a step: what to lower, and by how much that would help.

N_k nodes are read by layer k, n_k come out of it; D + E columns of the inputs, m hidden width.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import torch

from pinsage.batches.minibatch import Minibatch
from pinsage.errors import DeviceMemoryError
from pinsage.model.network import NetworkShape
from pinsage.settings import TrainSettings


@contextmanager
def full_device_named(batch: Minibatch, shape: NetworkShape, settings: TrainSettings) -> Iterator[None]:
    """Turn "CUDA out of memory" into an error that says what to lower.

    Raises:
        DeviceMemoryError: in place of PyTorch's error.
    """
    try:
        yield
    except torch.OutOfMemoryError:
        raise DeviceMemoryError(_advice(batch, shape, settings)) from None


def step_gb(sizes: tuple[int, ...], shape: NetworkShape, bytes_per_number: int) -> float:
    """Estimate the memory that a step keeps for its backward pass, in GB.

    Inputs raw and standardized; per layer two [N, m] of the projection, the pooled vectors, and three [n, m] of the
    output.

    Args:
        sizes: n_0, ..., n_K of the sub-graph.
        bytes_per_number: of the hidden vectors, 2 for bf16; the inputs are float32.
    """
    numbers = sum(before * 2 * shape.hidden_dim + after * 4 * shape.hidden_dim for after, before in pairwise(sizes))
    return (sizes[-1] * 2 * shape.num_features * 4 + numbers * bytes_per_number) / 1e9


def _advice(batch: Minibatch, shape: NetworkShape, settings: TrainSettings) -> str:
    sizes = batch.subgraph.sizes
    is_mixed = settings.precision != "float32"
    needed = step_gb(sizes, shape, 2 if is_mixed else 4)
    halves = step_gb(tuple(size // 2 for size in sizes), shape, 2 if is_mixed else 4)
    ways = [
        f"train.batch_size to {max(2, settings.batch_size // 2)} ({needed:.2g} to about {halves:.2g} GB)",
        f"model.hidden_dim from {shape.hidden_dim} to {shape.hidden_dim // 2} (nearly half)",
    ]
    if not is_mixed:
        ways.append(f"train.precision to bf16 (to {step_gb(sizes, shape, 2):.2g} GB)")
    if shape.num_layers:
        neighbors = batch.subgraph.neighbors.shape[1]
        ways.append(
            f"walk.num_neighbors from {neighbors} to {max(1, neighbors // 2)} (most of the nodes are neighbors)"
        )
    return (
        f"The GPU's memory ({_total_gb():.0f} GB) does not hold step {batch.step}: its {settings.batch_size} pairs "
        f"touch {sizes[-1]} pins, which takes about {needed:.2g} GB beside the weights. "
        f"Lower {', '.join(ways[:-1])} or {ways[-1]}."
    )


def _total_gb() -> float:
    return torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory / 1e9
