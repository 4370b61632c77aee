"""The linear path of the network: what a pin's saves say, added to what the convolutions make of its features.

n pins, S columns of the spectral block, d embedding size, P pins in all.

Differs from the paper. A convolution pools what a ReLU has left of every neighbor and must learn from pairs what the
saves already say. Here the vectors of the saves reach the output as they are, a pin's own and its neighbors': training
starts from the best linear embedding and improves on it. Source: LightGCN (He et al., SIGIR 2020), which propagates
such vectors without a nonlinearity; weights by visit count are PinSage's.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pinsage.model.convolve import unit_length

_FIRST_SHARE = -1.0  # log of λ before training: a third, so that the neighbors do not outweigh the pin
_ID_DEVIATION = 0.1  # of id embeddings that have no spectral block to start from


class LinearPath(nn.Module):
    """b = W s + e of every pin, and b_u + λ · unit(Σ α_uv b_v); s is the spectral block, e an id embedding.

    Pins without a training save have e = 0, and it stays so: what is left for them is their features.
    """

    def __init__(self, num_columns: int, num_pins: int, width: int) -> None:
        """Read `num_columns` (S, may be 0) of a spectral block and learn a vector for `num_pins` (P, 0: no ids)."""
        super().__init__()
        self.spectral = nn.Linear(num_columns, width, bias=False) if num_columns else None  # W
        self.ids = nn.Embedding(num_pins, width) if num_pins else None  # e
        self.log_share = nn.Parameter(torch.tensor(_FIRST_SHARE))  # log λ

    def initialize(self, generator: torch.Generator) -> None:
        """Begin with W = identity and e = 0, or with small random e where there is no spectral block."""
        if self.spectral is not None:
            nn.init.eye_(self.spectral.weight)
        if self.ids is not None and self.spectral is None:
            nn.init.normal_(self.ids.weight, std=_ID_DEVIATION, generator=generator)
        elif self.ids is not None:
            nn.init.zeros_(self.ids.weight)

    def id_vectors(self, has_saves: Tensor, pins: Tensor) -> Tensor | None:
        """e of some pins: float [n, d]; None without id embeddings.

        Args:
            has_saves: float [n, 1], 0 for a pin without a training save, else 1.
            pins: int [n].
        """
        return None if self.ids is None else F.embedding(pins, self.ids.weight) * has_saves

    def add(self, spectral: Tensor, ids: Tensor | None) -> Tensor:
        """W s + e: float [n, d], from rows of the spectral block, float [n, S], not standardized, and e."""
        vectors: Tensor = spectral.new_zeros(()) if self.spectral is None else self.spectral(spectral)
        return vectors if ids is None else vectors + ids

    def join(self, own: Tensor, summary: Tensor) -> Tensor:
        """b_u + λ · unit(n_u): float [n, d], from b_u and n_u = Σ α_uv b_v, float [n, d] each."""
        joined: Tensor = own + self.log_share.exp() * unit_length(summary)
        return joined
