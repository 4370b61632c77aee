"""One convolution (PinSage Algorithm 1).

n outputs, N nodes with the n outputs first, T neighbors, m width.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pinsage.model.pooling import Transposed, pool
from pinsage.model.shape import NORM_FLOOR, Pooling


class Convolve(nn.Module):
    """z = ReLU(W · concat(h_u, n_u) + w) / ‖·‖₂ with n_u = γ({ReLU(Q h_v + q) | v in N(u)}, α), times a length."""

    def __init__(self, num_inputs: int, width: int, pooling: Pooling, length: float = 1.0) -> None:
        super().__init__()
        self.pooling: Pooling = pooling
        self.length = length  # see NetworkShape.convolved_length
        self.neighbor = nn.Linear(num_inputs, width)  # Q, q
        self.combine = nn.Linear(num_inputs + width, width)  # W, w

    def forward(self, nodes: Tensor, neighbors: Tensor, weights: Tensor, transpose: Transposed = None) -> Tensor:
        """The convolved vectors of the first n nodes.

        Args:
            nodes: float [N, num_inputs], h of the previous layer.
            neighbors: int32 [n, T], rows of `nodes`; row i belongs to node i.
            weights: float [n, T], 0 for padding.
            transpose: see `pooling.pool`.

        Returns:
            float [n, m], each row of the same length, or zero where ReLU left nothing.

        Source: PinSage Algorithm 1.
        """
        projected = self.project(nodes)  # [N, m]
        summary = pool(projected, neighbors, weights, pooling=self.pooling, transpose=transpose)  # [n, m]
        return self.update(nodes[: len(neighbors)], summary)

    def project(self, nodes: Tensor) -> Tensor:
        """ReLU(Q h + q) of every node: float [N, m]. Source: PinSage Algorithm 1, line 1."""
        projected = linear(nodes, self.neighbor.weight, self.neighbor.bias)
        return projected.relu_()  # in place, here and below: a fresh [N, m] costs a page fault per 4 KiB

    def update(self, own: Tensor, summary: Tensor) -> Tensor:
        """ReLU(W · concat(h_u, n_u) + w) at `length`: float [n, m]. Source: PinSage Algorithm 1, lines 2-3.

        Args:
            own: float [n, num_inputs], h_u.
            summary: float [n, m], n_u.
        """
        # W · concat(h, n) = W₁h + W₂n: no copy of the two side by side.
        for_own, for_summary = self.combine.weight.tensor_split([self.neighbor.in_features], dim=1)
        mixed = torch.addmm(linear(own, for_own, self.combine.bias), summary, for_summary.t())  # [n, m]
        return unit_length(mixed.relu_(), self.length)


def linear(inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """W x + b, where the inputs may have columns of zeros that W lacks: see `network.aligned`. float [n, m]."""
    missing = inputs.shape[1] - weight.shape[1]
    return F.linear(inputs, F.pad(weight, (0, missing)) if missing else weight, bias)


def unit_length(vectors: Tensor, length: float = 1.0) -> Tensor:
    """The vectors at unit length, or at `length`; a zero vector stays zero. float [n, m] -> float [n, m]."""
    # Not F.normalize: the backward pass of its division takes a third longer.
    lengths: Tensor = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
    return vectors * (length * lengths.clamp_min(NORM_FLOOR).reciprocal())
