"""The whole network: standardized features, K convolutions, the dense head (PinSage Algorithm 2).

P pins, n_0 targets, n_K nodes, D feature columns, E columns of an id embedding (0: none), m hidden, d embedding width.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pinsage.batches.minibatch import Subgraph
from pinsage.model.convolve import Convolve, unit_length
from pinsage.model.pooling import Pooling, Transposed

FEATURE_LIMIT = 10.0  # standardized features are cut here: one freak value must not drown the others
_ID_DEVIATION = 0.1  # of a new id embedding


@dataclass(frozen=True)
class NetworkShape:
    """What the weights of a network fit: its feature blocks (name, width) in order, and its sizes.

    With an `id_dim` (E) above 0 each of `num_pins` (P) pins has a learned vector of its own beside its features.
    """

    blocks: tuple[tuple[str, int], ...]
    num_layers: int
    hidden_dim: int
    embedding_dim: int
    pooling: Pooling
    id_dim: int = 0
    num_pins: int = 0

    @property
    def num_features(self) -> int:
        """D, the columns of all feature blocks together."""
        return sum(width for _, width in self.blocks)

    @property
    def input_width(self) -> int:
        """D + E, what the first layer reads of a pin."""
        return self.num_features + self.id_dim


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
    """Features and neighborhoods in, embeddings of unit length out.

    Differs from the paper: the output of the head is divided by its length, so that the dot product of the loss and
    of the retrieval is the cosine, and the margin has a scale. Features are standardized by a mean and a scale that
    are part of the network. An id embedding may stand beside the features, for data sets without content.
    `popularity` is the strength of the popularity that ranking adds to the cosine: see `model.popularity`.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, shape: NetworkShape, *, seed: int = 0) -> None:
        super().__init__()
        self.shape, self.popularity = shape, 0.0
        self.register_buffer("mean", torch.zeros(shape.num_features))
        self.register_buffer("scale", torch.ones(shape.num_features))
        widths = [shape.input_width] + [shape.hidden_dim] * shape.num_layers
        self.convolutions = nn.ModuleList(
            Convolve(width, shape.hidden_dim, shape.pooling) for width in widths[: shape.num_layers]
        )
        self.head_hidden = nn.Linear(widths[-1], shape.hidden_dim)  # G1, g
        self.head_output = nn.Linear(shape.hidden_dim, shape.embedding_dim, bias=False)  # G2
        self.ids = nn.Embedding(shape.num_pins, shape.id_dim) if shape.id_dim else None
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
        hidden = self.inputs(features, subgraph.nodes)
        for layer, convolution in enumerate(self.convolutions):
            count = subgraph.sizes[-2 - layer]
            transpose = subgraph.transposes[layer] if subgraph.transposes else None
            hidden = convolution(hidden, subgraph.neighbors[:count], subgraph.weights[:count], transpose)
        return self.head(hidden)

    def inputs(self, features: Tensor, pins: Tensor) -> Tensor:
        """What the first layer reads of pins: float [n, D + E].

        Args:
            features: float [n, D], raw.
            pins: int [n], whose features they are.
        """
        content = self.standardized(features)
        return content if self.ids is None else torch.cat([content, self.ids(pins)], dim=1)

    def standardized(self, features: Tensor) -> Tensor:
        """The features with mean 0 and scale 1 per column, cut at ±10: float [n, D]."""
        return (features - self.mean).div_(self.scale).clamp_(-FEATURE_LIMIT, FEATURE_LIMIT)

    def head(self, hidden: Tensor) -> Tensor:
        """z = G2 · ReLU(G1 h + g) at unit length: float [n, m] -> float [n, d]. Source: PinSage Algorithm 2."""
        return unit_length(self.head_output(torch.relu(self.head_hidden(hidden))))

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
        if self.ids is not None:
            nn.init.normal_(self.ids.weight, std=_ID_DEVIATION, generator=generator)
