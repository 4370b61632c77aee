"""The whole network: standardized features, K convolutions, the dense head (PinSage Algorithm 2).

P pins, n_0 targets, n_K nodes, D feature columns, m hidden, d embedding width.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pinsage.batches.minibatch import Subgraph
from pinsage.model.convolve import Convolve, linear, unit_length
from pinsage.model.linear_path import LinearPath
from pinsage.model.pooling import Transposed, pool
from pinsage.model.shape import FEATURE_LIMIT, NetworkShape

_FIRST_CORRECTION = 0.05  # gain of the head's first weights beside a linear path, whose vectors training begins with
_ALIGNED = 8  # numbers: 16 bytes of bf16


@dataclass(frozen=True)
class SubgraphTensors:
    """The arrays of a `batches.minibatch.Subgraph` as tensors on a device; its node sizes stay numbers."""

    nodes: Tensor
    sizes: tuple[int, ...]
    neighbors: Tensor
    weights: Tensor
    transposes: tuple[Transposed, ...]

    @classmethod
    def of(cls, subgraph: Subgraph, device: torch.device) -> "SubgraphTensors":
        """The sub-graph, copied to `device` if that is not the CPU."""

        def moved(array: NDArray[Any]) -> Tensor:
            return torch.from_numpy(array).to(device, non_blocking=True)

        transposes = tuple((moved(item.offsets), moved(item.positions)) for item in subgraph.transposes)
        return cls(
            moved(subgraph.nodes), subgraph.sizes, moved(subgraph.neighbors), moved(subgraph.weights), transposes
        )


class PinSageNetwork(nn.Module):
    """The network: features and neighborhoods in, embeddings of unit length out.

    Differs from the paper: the output of the head is divided by its length, so that the dot product of the loss and
    of the retrieval is the cosine, and the margin has a scale. Features are standardized by a mean and a scale that
    are part of the network. What the saves say may reach the output past the convolutions (`LinearPath`).
    `popularity` is the strength of the popularity that ranking adds to the cosine: see `model.popularity`.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, shape: NetworkShape, *, seed: int = 0) -> None:
        super().__init__()
        self.shape, self.popularity = shape, 0.0
        self.register_buffer("mean", torch.zeros(shape.num_features))
        self.register_buffer("scale", torch.ones(shape.num_features))
        widths = [shape.num_inputs] + [shape.hidden_dim] * shape.num_layers
        self.convolutions = nn.ModuleList(
            Convolve(width, shape.hidden_dim, shape.pooling, shape.convolved_length)
            for width in widths[: shape.num_layers]
        )
        self.head_hidden = nn.Linear(widths[-1], shape.hidden_dim)  # G1, g
        self.head_output = nn.Linear(shape.hidden_dim, shape.embedding_dim, bias=False)  # G2
        self._spectral, self._has_saves = shape.columns("spectral"), shape.columns("has_saves")
        num_columns = self._spectral.stop - self._spectral.start
        path = LinearPath(num_columns, shape.num_pins, shape.embedding_dim) if shape.has_linear_path else None
        self.linear: LinearPath | None = path
        self._initialize(torch.Generator().manual_seed(seed))

    def set_moments(self, mean: NDArray[np.float32], scale: NDArray[np.float32]) -> None:
        """Keep the mean and the scale of every feature column, float32 [D] each, scale above 0."""
        self.mean.copy_(torch.from_numpy(np.array(mean)))
        self.scale.copy_(torch.from_numpy(np.array(scale)))

    def forward(self, features: Tensor, subgraph: SubgraphTensors) -> Tensor:
        """The embeddings of the targets of a sub-graph.

        Args:
            features: float [n_K, D], raw, in the order of the nodes.
            subgraph: who pools from whom.

        Returns:
            float [n_0, d], unit length.

        Source: PinSage Algorithm 2.
        """
        hidden = self.standardize(features)
        for layer, convolution in enumerate(self.convolutions):
            count = subgraph.sizes[-2 - layer]
            transpose = subgraph.transposes[layer] if subgraph.transposes else None
            hidden = convolution(hidden, subgraph.neighbors[:count], subgraph.weights[:count], transpose)
        return self.head(hidden, self._linear_part(features, subgraph))

    def _linear_part(self, features: Tensor, subgraph: SubgraphTensors) -> Tensor | None:
        """The output of the linear path for the targets: float [n_0, d]."""
        if self.linear is None:
            return None
        targets, near = subgraph.sizes[0], subgraph.sizes[min(1, len(subgraph.sizes) - 1)]
        own = self.linear_vectors(features[:targets], subgraph.nodes[:targets])
        if not self.convolutions:  # no neighbors were looked up
            return own
        spectral, has_saves = self._saves(features[:near])
        table = self.linear.id_vectors(has_saves, subgraph.nodes[:near])
        neighbors, weights = subgraph.neighbors[:targets], subgraph.weights[:targets]
        transpose = subgraph.transposes[-1] if subgraph.transposes else None

        def summed(vectors: Tensor) -> Tensor:
            return pool(vectors, neighbors, weights, pooling="importance", transpose=transpose)

        # W is applied to the sums: once for each target, not for each of the nodes that they pool.
        return self.linear.join(own, self.linear.add(summed(spectral), None if table is None else summed(table)))

    def linear_vectors(self, features: Tensor, pins: Tensor) -> Tensor:
        """b of some pins, what the linear path starts from: float [n, d].

        Args:
            features: float [n, D], raw.
            pins: int [n], whose features they are.
        """
        if self.linear is None:
            raise ValueError("This network has no linear path.")
        spectral, has_saves = self._saves(features)
        return self.linear.add(spectral, self.linear.id_vectors(has_saves, pins))

    def _saves(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The spectral block, float [n, S], and 0 for a pin without a training save, else 1, float [n, 1]."""
        has_saves = features[:, self._has_saves] if self._has_saves.stop else features.new_ones(1, 1)
        return features[:, self._spectral], has_saves

    def standardize(self, features: Tensor) -> Tensor:
        """The inputs of the first layer, with mean 0 and scale 1 per column, cut at ±10: float [n, inputs].

        On a GPU zeros follow each row: see `aligned`.
        """
        read, mean, scale = (self._read(values) for values in (features, self.mean, self.scale))
        inputs = (read - mean).div_(scale).clamp_(-FEATURE_LIMIT, FEATURE_LIMIT)
        return aligned(inputs) if inputs.is_cuda else inputs

    def _read(self, values: Tensor) -> Tensor:
        unread = self.shape.unread
        if unread.start == unread.stop:
            return values
        return torch.cat([values[..., : unread.start], values[..., unread.stop :]], dim=-1)

    def head(self, hidden: Tensor, from_saves: Tensor | None = None) -> Tensor:
        """z = G2 · ReLU(G1 h + g), plus what the linear path gives, at unit length. Source: PinSage Algorithm 2.

        Args:
            hidden: float [n, m], what the last convolution made.
            from_saves: float [n, d], or None for a network without a linear path.

        Returns:
            float [n, d].
        """
        output = self.head_output(torch.relu(linear(hidden, self.head_hidden.weight, self.head_hidden.bias)))  # [n, d]
        return unit_length(output if from_saves is None else output + from_saves)

    def convolution(self, layer: int) -> Convolve:
        """The convolution number `layer`, counted from 0 at the features."""
        chosen = self.convolutions[layer]
        if not isinstance(chosen, Convolve):  # for the type checker: a ModuleList forgets what it holds
            raise TypeError(f"layer {layer} is a {type(chosen).__name__}")
        return chosen

    def _initialize(self, generator: torch.Generator) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight, nn.init.calculate_gain("relu"), generator=generator)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        if self.linear is not None:
            self.linear.initialize(generator)
            # The vectors of saves are good before any step: what the convolutions add begins small, and is learned.
            if self.linear.spectral is not None:
                nn.init.xavier_uniform_(self.head_output.weight, _FIRST_CORRECTION, generator=generator)


def aligned(inputs: Tensor) -> Tensor:
    """The inputs with columns of zeros up to a multiple of _ALIGNED, in the type that products are computed in.

    The matrix units of a GPU read rows that begin at multiples of 16 bytes; others cost a product four to six times its
    time.

    Args:
        inputs: float32 [n, inputs].
    """
    num_inputs = inputs.shape[1]
    width = -(-num_inputs // _ALIGNED) * _ALIGNED
    if width == num_inputs:
        return inputs
    dtype = torch.get_autocast_dtype("cuda") if torch.is_autocast_enabled("cuda") else inputs.dtype
    wider = inputs.new_zeros((len(inputs), width), dtype=dtype)
    wider[:, :num_inputs] = inputs
    return wider
