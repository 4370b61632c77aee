"""Embed every pin layer by layer, so that each latent vector is computed once (PinSage §3.4).

A pass over the catalog projects every pin, the next one joins the projections with the neighborhoods, and so on per
layer. `embed_layerwise` keeps what the passes make in memory; `pinsage.inference` keeps it in files, for workers
anywhere.

P pins, D feature columns, T neighbors, m hidden width, d embedding size.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pinsage.batches.minibatch import FeatureRows
from pinsage.model.network import PinSageNetwork
from pinsage.model.pooling import pool
from pinsage.model.shape import NetworkShape, Pooling

CHUNK = 4096  # pins in one matrix product; part of the result's last bits, so it is the same everywhere


@dataclass(frozen=True)
class Pass:
    """One pass over the catalog. `layer` counts from 0 at the features; the head reads what layer - 1 made.

    "saves" makes what the linear path starts from, which the head pools.
    """

    kind: Literal["project", "convolve", "saves", "head"]
    layer: int

    @property
    def name(self) -> str:
        """The name of its array, and of the file and the folder that hold it."""
        return f"{self.kind}-{self.layer}"

    @property
    def own(self) -> "Pass":
        """The pass whose vectors of the pins themselves this one reads; none (layer -1) where it reads features."""
        return Pass("convolve", -1 if self.kind == "saves" else self.layer - 1)

    @property
    def pool(self) -> "Pass":
        """The pass whose vectors of the neighbors this one pools, if it pools any."""
        return Pass("saves" if self.kind == "head" else "project", self.layer)

    @property
    def last_read(self) -> tuple["Pass", ...]:
        """The passes whose vectors nobody reads any more after this one."""
        return (self.own, self.pool) if self.kind in ("convolve", "head") else ()


def passes(shape: NetworkShape) -> list[Pass]:
    """The passes of a network, in order: project and convolve for every layer, the linear path's, then the head."""
    layers = [Pass(kind, layer) for layer in range(shape.num_layers) for kind in ("project", "convolve")]
    saves = [Pass("saves", shape.num_layers)] if shape.has_linear_path else []
    return [*layers, *saves, Pass("head", shape.num_layers)]


def embed_layerwise(
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
    made: dict[Pass, Tensor] = {}
    with torch.inference_mode():
        for each in passes(network.shape):
            own, table = made.get(each.own), made.get(each.pool)
            for part in chunks(0, len(neighbors)):
                vectors = compute_pass(
                    network, each, part, rows=rows, own=None if own is None else own[part], table=table,
                    neighbors=neighbors, weights=weights,
                )  # fmt: skip
                if part.start == 0:
                    # Room for all, filled while a part is still in the cache: joined at the end, parts cost an eighth.
                    made[each] = vectors.new_empty((len(neighbors), vectors.shape[1]))
                made[each][part] = vectors
            for read in each.last_read:
                made.pop(read, None)
    return made[each]


def compute_pass(
    network: PinSageNetwork,
    each: Pass,
    part: slice,
    *,
    rows: FeatureRows,
    own: Tensor | None,
    table: Tensor | None,
    neighbors: NDArray[np.int32],
    weights: NDArray[np.float32],
) -> Tensor:
    """Do one pass for the pins of a slice, on the network's device: float32 [n, ·].

    Args:
        network: in evaluation mode.
        each: the pass.
        part: the pins.
        rows: gives the raw features of pins, float32 [n, D].
        own: float32 [n, ·], what the layer before made of these pins; None at the features.
        table: float32 [P, ·], the vectors of all pins that are pooled; None where the pass pools none.
        neighbors, weights: [P, T].
    """
    if each.kind == "saves":
        return network.linear_vectors(*_raw_rows(network, rows, part))
    if own is None:
        own = network.standardize(_raw_rows(network, rows, part)[0])
    if each.kind == "project":
        return network.convolution(each.layer).project(own)
    if table is None:
        return network.head(own)
    if each.kind == "head":
        return network.head(own, _linear_part(network, part, table, neighbors[part], weights[part]))
    convolution = network.convolution(each.layer)
    return convolution.update(own, _pooled_rows(table, neighbors[part], weights[part], convolution.pooling))


def chunks(first: int, last: int) -> Iterator[slice]:
    """The pins `first` to `last` - 1 in slices of CHUNK."""
    return (slice(start, min(start + CHUNK, last)) for start in range(first, last, CHUNK))


def _raw_rows(network: PinSageNetwork, rows: FeatureRows, part: slice) -> tuple[Tensor, Tensor]:
    pins, device = np.arange(part.start, part.stop, dtype=np.int32), network.mean.device
    return torch.from_numpy(rows(pins)).to(device), torch.from_numpy(pins).to(device)


def _linear_part(
    network: PinSageNetwork, part: slice, table: Tensor, neighbors: NDArray[np.int32], weights: NDArray[np.float32]
) -> Tensor | None:
    """The output of the linear path for the pins of a slice: float32 [n, d]; None for a network without one."""
    if network.linear is None:
        return None
    if not network.shape.num_layers:
        return table[part]
    return network.linear.join(table[part], _pooled_rows(table, neighbors, weights, "importance"))


def _pooled_rows(table: Tensor, neighbors: NDArray[np.int32], weights: NDArray[np.float32], pooling: Pooling) -> Tensor:
    near = torch.from_numpy(np.array(neighbors)).to(table.device)  # a copy: the table may be a read-only memory map
    importance = torch.from_numpy(np.array(weights)).to(table.device)
    return pool(table, near, importance, pooling=pooling, transpose=None)
