"""Embeddings of every pin, each latent vector computed once (PinSage §3.4).

`embed_all` does it in this process. `embed_by_parts` does it in partitions of pins that may run anywhere: a pass over
the catalog projects every pin, the next one joins the projections with the neighborhoods, and so on per layer; what a
pass makes lies in a memory-mapped file that the next pass reads. Only paths and ranges travel to the workers.

P pins, T neighbors, m hidden width, d embedding size.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pinsage.errors import PinSageError
from pinsage.features.matrix import FeatureMatrix
from pinsage.graph.csr import BipartiteGraph
from pinsage.model.file import check_features, load_network
from pinsage.model.layerwise import CHUNK, chunks, convolved, embedded, standardized_rows
from pinsage.model.network import PinSageNetwork
from pinsage.walks.neighborhood import Neighborhoods


class RunParts(Protocol):
    """Calls `function(*part)` for every part, anywhere and in any order, and returns the answers in order."""

    def __call__(self, function: Callable[..., Any], parts: Sequence[tuple[Any, ...]], *, label: str) -> list[Any]:
        """The answers of all parts; `label` names the work in the log."""


@dataclass(frozen=True)
class InferenceJob:
    """Where a worker finds what it reads (folders of artifacts) and leaves what it makes.

    `scratch` holds the arrays between two passes, `embeddings` is the file of the result.
    """

    model: Path
    visual: Path
    text: Path
    graph: Path
    walk: Path
    scratch: Path
    embeddings: Path


@dataclass(frozen=True)
class Pass:
    """One pass over the catalog. `layer` counts from 0 at the features; the head reads what layer - 1 made."""

    kind: Literal["project", "convolve", "head"]
    layer: int


@dataclass(frozen=True)
class EmbeddingFacts:
    """What came out: P, and how many pins have a zero vector because ReLU left nothing of them."""

    num_pins: int
    num_zero: int


def embed_all(
    network: PinSageNetwork, features: FeatureMatrix, neighborhoods: Neighborhoods | None
) -> NDArray[np.float32]:
    """The embedding of every pin, made in this process on the network's device: float32 [P, d], unit length.

    Args:
        network: in evaluation mode.
        features: of all pins, with the blocks the network was trained on.
        neighborhoods: of all pins; None for a network without convolutions.

    Raises:
        InputError: the features are not those of the training.

    Source: PinSage §3.4.
    """
    check_features(network, features.widths)
    neighbors, weights = _tables(neighborhoods, features.num_pins)
    vectors: NDArray[np.float32] = embedded(network, features.rows, neighbors, weights).cpu().numpy()
    return vectors


def embed_by_parts(job: InferenceJob, run_parts: RunParts, *, num_parts: int) -> EmbeddingFacts:
    """Write the embedding of every pin to `job.embeddings`, float32 [P, d], and say what came out.

    Every part is cut into the same chunks of CHUNK pins, wherever its borders are, and every worker computes with one
    thread: any number of parts gives the same bytes on the same kind of CPU. A part that runs twice, because a worker
    died, writes the same bytes to the same place.

    Raises:
        InputError: the features are not those of the training.
        PinSageError: an embedding is not finite.

    Source: PinSage §3.4.
    """
    network, features, _ = _opened(job)
    check_features(network, features.widths)
    borders = _borders(features.num_pins, num_parts)
    for each in passes(network.shape.num_layers):
        _create(_file(job, each), features.num_pins, _width(network, each))
        parts = [(job, each, first, last) for first, last in borders]
        run_parts(embed_part, parts, label=f"embed: {each.kind} layer {each.layer + 1}")
        if each.kind == "convolve":
            _discard(job, Pass("project", each.layer), Pass("convolve", each.layer - 1))
    _discard(job, Pass("convolve", network.shape.num_layers - 1))
    return _checked(job.embeddings)


def passes(num_layers: int) -> list[Pass]:
    """The passes of a network, in order: project and convolve for every layer, then the head."""
    layers = [Pass(kind, layer) for layer in range(num_layers) for kind in ("project", "convolve")]
    return [*layers, Pass("head", num_layers)]


def embed_part(job: InferenceJob, each: Pass, first: int, last: int) -> int:
    """Do one pass for the pins `first` to `last` - 1, on a worker; the number of pins done."""
    torch.set_num_threads(1)
    out = _mapped(_file(job, each), "r+")
    with torch.inference_mode():
        for part in chunks(first, last):
            out[part] = _computed(job, each, part).numpy()
    out.flush()
    return last - first


def _computed(job: InferenceJob, each: Pass, part: slice) -> Tensor:
    network, _, neighborhoods = _opened(job)
    own = _own(job, each.layer, part)
    if each.kind == "project":
        return network.convolution(each.layer).project(own)
    if each.kind == "head":
        return network.head(own)
    neighbors, weights = _tables(neighborhoods, len(neighborhoods.neighbors))
    table = torch.from_numpy(_mapped(_file(job, Pass("project", each.layer)), "c"))
    return convolved(network, each.layer, own, table=table, neighbors=neighbors[part], weights=weights[part])


def _own(job: InferenceJob, layer: int, part: slice) -> Tensor:
    """What a layer reads of the pins themselves: float32 [n, ·]."""
    network, features, _ = _opened(job)
    if layer == 0:
        return standardized_rows(network, features.rows, part)
    return torch.from_numpy(np.array(_mapped(_file(job, Pass("convolve", layer - 1)), "r")[part]))


@lru_cache(maxsize=2)
def _opened(job: InferenceJob) -> tuple[PinSageNetwork, FeatureMatrix, Neighborhoods]:
    """The network and the memory maps of a job; a worker opens them once for all its parts."""
    degrees = BipartiteGraph.open(job.graph).pin_degrees
    features = FeatureMatrix.open(visual=job.visual, text=job.text, pin_degrees=degrees)
    return load_network(job.model), features, Neighborhoods.open(job.walk)


def _tables(neighborhoods: Neighborhoods | None, num_pins: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    if neighborhoods is None:
        return np.empty((num_pins, 0), np.int32), np.empty((num_pins, 0), np.float32)
    return neighborhoods.neighbors, neighborhoods.weights


def _borders(num_pins: int, num_parts: int) -> list[tuple[int, int]]:
    """Ranges of pins that begin at multiples of CHUNK, as even as that allows."""
    num_chunks = -(-num_pins // CHUNK)
    cuts = np.linspace(0, num_chunks, min(max(1, num_parts), num_chunks) + 1).round().astype(int) * CHUNK
    return [(int(first), min(int(last), num_pins)) for first, last in pairwise(cuts)]


def _file(job: InferenceJob, each: Pass) -> Path:
    return job.embeddings if each.kind == "head" else job.scratch / f"{each.kind}-{each.layer}.npy"


def _width(network: PinSageNetwork, each: Pass) -> int:
    return network.shape.embedding_dim if each.kind == "head" else network.shape.hidden_dim


def _create(path: Path, num_pins: int, width: int) -> None:
    np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(num_pins, width)).flush()


def _mapped(path: Path, mode: Literal["r", "r+", "c"]) -> "np.memmap[Any, np.dtype[np.float32]]":
    return np.lib.format.open_memmap(path, mode=mode)


def _discard(job: InferenceJob, *done: Pass) -> None:
    for each in done:
        if each.layer >= 0:
            _file(job, each).unlink(missing_ok=True)


def _checked(path: Path) -> EmbeddingFacts:
    vectors, num_zero = _mapped(path, "r"), 0
    for part in chunks(0, len(vectors)):
        lengths = np.linalg.norm(vectors[part], axis=1)
        if not np.isfinite(lengths).all():
            pin = part.start + int((~np.isfinite(lengths)).argmax())
            raise PinSageError(f"The embedding of pin {pin} is not finite. Look at its features and train again.")
        num_zero += int((lengths == 0).sum())
    return EmbeddingFacts(len(vectors), num_zero)
