"""Pooling of neighbor vectors: γ of PinSage Algorithm 1, line 1.

n outputs, N nodes, T neighbors, m width. Neighbors are positions in the node table, so every node is projected once
however many pins it is a neighbor of, and pooling is one pass over the table.
"""

import shutil
import sysconfig
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from pinsage.model.shape import Pooling


def pool(table: Tensor, neighbors: Tensor, weights: Tensor, *, pooling: Pooling, transpose: "Transposed") -> Tensor:
    """One vector per pin from its neighbors' vectors; zero for a pin without neighbors.

    Args:
        table: float [N, m], not negative (it comes out of a ReLU).
        neighbors: int32 [n, T], rows of `table`.
        weights: float [n, T], importance weights; 0 marks padding.
        pooling: importance (weighted sum), mean (over the real neighbors) or max (elementwise over them).
        transpose: the same neighbors the other way, or None where autograd may take its own, slower way.

    Returns:
        float [n, m].

    Source: PinSage §3.2, importance pooling; §4.1 compares mean and max.
    """
    if pooling == "max":
        return _maximum(table, neighbors, weights)
    if pooling == "mean":
        weights = _uniform(weights)
    weights = weights.to(table.dtype)  # bf16, where the projection is
    if transpose is None or not table.requires_grad:
        return _weighted_sum(table, neighbors, weights)
    summed: Tensor = _WeightedSum.apply(table, neighbors, weights, *transpose)  # type: ignore[no-untyped-call]
    return summed


Transposed = tuple[Tensor, Tensor] | None


def _uniform(weights: Tensor) -> Tensor:
    real = (weights > 0).to(weights.dtype)
    return real / real.sum(dim=1, keepdim=True).clamp_min(1.0)


def _maximum(table: Tensor, neighbors: Tensor, weights: Tensor) -> Tensor:
    # ReLU outputs are not negative, so a padded neighbor zeroed out never wins over a real one.
    real = (weights > 0).to(table.dtype)
    return (F.embedding(neighbors, table) * real[:, :, None]).amax(dim=1)


def _weighted_sum(table: Tensor, neighbors: Tensor, weights: Tensor) -> Tensor:
    num_outputs, num_neighbors = neighbors.shape
    offsets = torch.arange(num_outputs + 1, dtype=torch.int32, device=table.device) * num_neighbors
    return weighted_sums(table, neighbors.flatten(), weights.flatten(), offsets)


def weighted_sums(table: Tensor, rows: Tensor, weights: Tensor, offsets: Tensor) -> Tensor:
    """The weighted sum of the rows of each bag.

    Args:
        table: float [N, m].
        rows: int32 [E], rows of `table`, bag after bag.
        weights: float [E], of the type of `table`.
        offsets: int32 [n + 1], where each bag begins; the last one is E.

    Returns:
        float [n, m], on a GPU each number added up in float32 in the order of the rows.
    """
    by_kernel = _gpu_sums() if table.is_cuda else None
    if by_kernel is not None:
        return by_kernel(table, rows, weights, offsets)
    return F.embedding_bag(rows, table, offsets, mode="sum", per_sample_weights=weights, include_last_offset=True)


@lru_cache(maxsize=1)
def _gpu_sums() -> Callable[[Tensor, Tensor, Tensor, Tensor], Tensor] | None:
    """The sums by our own kernel; None without Triton, or without the C compiler and headers that it starts with."""
    has_headers = Path(sysconfig.get_path("include"), "Python.h").is_file()
    if not has_headers or not any(map(shutil.which, ("cc", "gcc", "clang"))):
        return None
    try:
        from pinsage.model import gpu_sums
    except ImportError:
        return None
    return gpu_sums.weighted_sums


class _WeightedSum(torch.autograd.Function):
    """A weighted sum whose backward pass is again a weighted sum, over the transposed neighbor table.

    PyTorch's own backward of embedding_bag sorts the indices, and on a GPU adds in no fixed order. With the transpose
    counted out beforehand (in the producer's thread) it is two times faster on 2 cores and the same on every run.
    """

    @staticmethod
    def forward(
        ctx: Any, table: Tensor, neighbors: Tensor, weights: Tensor, offsets: Tensor, positions: Tensor
    ) -> Tensor:
        ctx.save_for_backward(weights, offsets, positions)
        return _weighted_sum(table, neighbors, weights)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
        weights, offsets, positions = ctx.saved_tensors
        outputs = torch.div(positions, weights.shape[1], rounding_mode="trunc")  # which output pooled from the node
        by_node = weights.flatten().index_select(0, positions)
        return weighted_sums(gradient.contiguous(), outputs, by_node, offsets), None, None, None, None
