"""Embeds every pin layer by layer, so that each latent vector is computed once (PinSage §3.4).

P pins, D feature columns, T neighbors, m hidden width, d embedding size.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pinsage.batches.minibatch import FeatureRows
from pinsage.model.network import PinSageNetwork
from pinsage.model.pooling import Pooling, pooled

CHUNK = 4096  # pins in one matrix product; part of the result's last bits, so it is the same everywhere


def embedded(
    network: PinSageNetwork, rows: FeatureRows, neighbors: NDArray[np.int32], weights: NDArray[np.float32]
) -> Tensor:
    """The embedding of every pin, on the network's device: float32 [P, d], unit length.

    Args:
        network: in evaluation mode.
        rows: gives the raw features of pins, float32 [n, D].
        neighbors: int32 [P, T]; [P, 0] for a network without convolutions.
        weights: float32 [P, T].

    Source: PinSage §3.4.
    """
    device, parts = network.mean.device, list(chunks(0, len(neighbors)))

    def from_features(part: slice) -> Tensor:
        return input_rows(network, rows, part)

    own: Callable[[slice], Tensor] = from_features
    with torch.inference_mode():
        for layer in range(network.shape.num_layers):
            projected = torch.cat([network.convolution(layer).project(own(part)) for part in parts])
            hidden = torch.cat([
                convolved(network, layer, own(part), table=projected, neighbors=neighbors[part], weights=weights[part])
                for part in parts
            ])  # fmt: skip
            own = hidden.__getitem__
        if network.linear is None:
            return torch.cat([network.head(own(part)) for part in parts]).to(device)
        base = torch.cat([saves_rows(network, rows, part) for part in parts])
        return torch.cat([
            network.head(own(part), linear_part(network, part, table=base, neighbors=neighbors, weights=weights))
            for part in parts
        ]).to(device)  # fmt: skip


def chunks(first: int, last: int) -> Iterator[slice]:
    """The pins `first` to `last` - 1 in slices of CHUNK."""
    return (slice(start, min(start + CHUNK, last)) for start in range(first, last, CHUNK))


def input_rows(network: PinSageNetwork, rows: FeatureRows, part: slice) -> Tensor:
    """What the first layer reads of the pins of a slice, on the network's device: float32 [n, D]."""
    return network.standardized(_raw_rows(network, rows, part)[0])


def saves_rows(network: PinSageNetwork, rows: FeatureRows, part: slice) -> Tensor:
    """What the linear path starts from, for the pins of a slice: float32 [n, d]."""
    return network.saves_vectors(*_raw_rows(network, rows, part))


def _raw_rows(network: PinSageNetwork, rows: FeatureRows, part: slice) -> tuple[Tensor, Tensor]:
    pins, device = np.arange(part.start, part.stop, dtype=np.int32), network.mean.device
    return torch.from_numpy(rows(pins)).to(device), torch.from_numpy(pins).to(device)


def linear_part(
    network: PinSageNetwork, part: slice, *, table: Tensor, neighbors: NDArray[np.int32], weights: NDArray[np.float32]
) -> Tensor | None:
    """What the linear path gives the pins of a slice: float32 [n, d]; None for a network without one.

    Args:
        network: in evaluation mode.
        part: the pins.
        table: float32 [P, d], what the path starts from, of every pin.
        neighbors, weights: [P, T].
    """
    if network.linear is None:
        return None
    if not network.shape.num_layers:
        return table[part]
    summary = _pooled_rows(table, neighbors[part], weights[part], "importance")
    return network.linear.joined(table[part], summary)


def convolved(
    network: PinSageNetwork,
    layer: int,
    own: Tensor,
    *,
    table: Tensor,
    neighbors: NDArray[np.int32],
    weights: NDArray[np.float32],
) -> Tensor:
    """The convolved vectors of some pins, from the projections of all pins: float32 [n, m].

    Args:
        own: float32 [n, ·], what the layer reads of the pins themselves.
        table: float32 [P, m], ReLU(Q h + q) of every pin.
        neighbors, weights: [n, T], rows of `table` and their importance.
    """
    convolution = network.convolution(layer)
    return convolution.combined(own, _pooled_rows(table, neighbors, weights, convolution.pooling))


def _pooled_rows(table: Tensor, neighbors: NDArray[np.int32], weights: NDArray[np.float32], pooling: Pooling) -> Tensor:
    near = torch.from_numpy(np.array(neighbors)).to(table.device)  # a copy: the table may be a read-only memory map
    importance = torch.from_numpy(np.array(weights)).to(table.device)
    return pooled(table, near, importance, pooling=pooling, transpose=None)
