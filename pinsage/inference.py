"""Embeddings of every pin, each latent vector computed once (PinSage §3.4).

`embed_all` does it in this process. `embed_by_parts` does it in partitions of pins that may run anywhere: a pass over
the catalog projects every pin, the next one joins the projections with the neighborhoods, and so on per layer; the
result of a pass is a file, staged for the workers of the next one. Only a few words and ranges travel with a part.

P pins, T neighbors, m hidden width, d embedding size.
"""

import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pinsage.cluster.exchange import Exchange, Rows, StagedFiles
from pinsage.cluster.workers import Workers
from pinsage.errors import PinSageError
from pinsage.features.matrix import FEATURE_STAGES, FeatureMatrix
from pinsage.model.file import check_features, load_network
from pinsage.model.layerwise import CHUNK, Pass, chunks, compute_pass, embed_layerwise, passes
from pinsage.model.network import PinSageNetwork
from pinsage.store import rows
from pinsage.store.rows import Written
from pinsage.walks.neighborhood import Neighborhoods

_INPUTS = ("train", *FEATURE_STAGES, "walk")
_OPENING = threading.Lock()


@dataclass(frozen=True)
class InferenceJob:
    """The artifacts to read, by the stage that published each, and the places for the results.

    `scratch` holds the arrays between two passes, `embeddings` is the file of the result.
    """

    inputs: Mapping[str, Path]
    scratch: Path
    embeddings: Path


@dataclass(frozen=True)
class Step:
    """One pass as a worker sees it: its inputs, the arrays of earlier passes among them, and the place of its rows.

    `inputs` are those of the job, in the order of _INPUTS. `own` is what the layer before made of the pins, None at the
    features; `table` are the vectors to pool, of all pins.
    """

    each: Pass
    inputs: tuple[StagedFiles, ...]
    own: StagedFiles | None
    table: StagedFiles | None
    out: Rows
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class EmbeddingFacts:
    """The number of pins, and the number of zero vectors among them because ReLU left nothing of them."""

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
    check_features(network, features.widths, features.num_pins)
    neighbors, weights = _tables(neighborhoods, features.num_pins)
    vectors: NDArray[np.float32] = embed_layerwise(network, features.rows, neighbors, weights).cpu().numpy()
    return vectors


def embed_by_parts(job: InferenceJob, exchange: Exchange, workers: Workers, *, num_parts: int) -> EmbeddingFacts:
    """Write the embedding of every pin to `job.embeddings`, float32 [P, d], and say what came out.

    Every part is cut into the same chunks of CHUNK pins, wherever its borders are, and every worker computes with one
    thread: any number of parts gives the same bytes on the same kind of CPU. A part that runs twice, because a worker
    died, hands in the same bytes.

    Raises:
        InputError: the features are not those of the training.
        PinSageError: an embedding is not finite.

    Source: PinSage §3.4.
    """
    network, features, _ = _read(job.inputs)
    check_features(network, features.widths, features.num_pins)
    tables = _Tables(job, exchange)
    borders = _borders(features.num_pins, num_parts)
    for each in passes(network.shape):
        folder, name = _place(job, each)
        # Room for all rows first: parts write to their places in any order.
        rows.allocate(folder / f"{name}.npy", np.float32, (features.num_pins, _width(network, each)))
        step = tables.step(each, exchange.rows(folder), name)
        workers.run(
            embed_part,
            [(step, first, last) for first, last in borders],
            label=f"embed: {each.kind} layer {each.layer + 1}",
            sizes=[last - first for first, last in borders],
            on_result=partial(exchange.collect, folder),
        )
        tables.hand_on(each)
    return _check(job.embeddings)


class _Tables:
    """The inputs of the workers: the artifacts, and the arrays of earlier passes for as long as they are read."""

    def __init__(self, job: InferenceJob, exchange: Exchange) -> None:
        self._job, self._exchange = job, exchange
        self._inputs = tuple(exchange.stage(job.inputs[stage]) for stage in _INPUTS)
        self._made: dict[Pass, StagedFiles] = {}

    def step(self, each: Pass, out: Rows, name: str) -> Step:
        """A pass, as the workers get it."""
        return Step(each, self._inputs, self._made.get(each.own), self._made.get(each.pool), out, name)

    def hand_on(self, each: Pass) -> None:
        """Stage the result of a pass for the next ones, and remove results that nobody reads any more."""
        for old in each.last_read:
            if old in self._made:
                self._exchange.unstage(self._made.pop(old))
                shutil.rmtree(self._job.scratch / old.name)
        if each.kind != "head":
            self._made[each] = self._exchange.stage(self._job.scratch / each.name)


def embed_part(step: Step, first: int, last: int) -> Written:
    """Do one pass for the pins `first` to `last` - 1, on a worker, and hand in their rows."""
    # One thread a part: sums keep their order on every machine, and the parts fill the cores.
    torch.set_num_threads(1)
    with step.out.part([step.name], first, last) as writer, torch.inference_mode():
        for part in chunks(first, last):
            writer.append({step.name: _compute(step, part).numpy()})
    return writer.finish()


def _compute(step: Step, part: slice) -> Tensor:
    network, features, neighborhoods = _open(step.inputs)
    neighbors, weights = _tables(neighborhoods, len(neighborhoods.neighbors))
    own, table = _vectors(step.own, step.each.own), _vectors(step.table, step.each.pool)
    return compute_pass(
        network, step.each, part, rows=features.rows,
        own=None if own is None else torch.from_numpy(np.array(own[part])),
        table=None if table is None else torch.from_numpy(table),
        neighbors=neighbors, weights=weights,
    )  # fmt: skip


def _vectors(made: StagedFiles | None, by: Pass) -> "np.memmap[Any, np.dtype[np.float32]] | None":
    """The vectors of all pins from an earlier pass: float32 [P, ·]; None without such a pass."""
    # Copy-on-write, as torch takes no read-only memory; nobody writes to it.
    return None if made is None else _map(made.folder() / f"{by.name}.npy", "c")


def _open(inputs: tuple[StagedFiles, ...]) -> tuple[PinSageNetwork, FeatureMatrix, Neighborhoods]:
    """The network and the memory maps of a job, opened once per process, whichever of its threads asks first."""
    with _OPENING:
        return _open_once(inputs)


@lru_cache(maxsize=2)
def _open_once(inputs: tuple[StagedFiles, ...]) -> tuple[PinSageNetwork, FeatureMatrix, Neighborhoods]:
    return _read({stage: staged.folder() for stage, staged in zip(_INPUTS, inputs, strict=True)})


def _read(inputs: Mapping[str, Path]) -> tuple[PinSageNetwork, FeatureMatrix, Neighborhoods]:
    return load_network(inputs["train"]), FeatureMatrix.open(inputs), Neighborhoods.open(inputs["walk"])


def _tables(neighborhoods: Neighborhoods | None, num_pins: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    if neighborhoods is None:
        return np.empty((num_pins, 0), np.int32), np.empty((num_pins, 0), np.float32)
    return neighborhoods.neighbors, neighborhoods.weights


def _borders(num_pins: int, num_parts: int) -> list[tuple[int, int]]:
    """Ranges of pins that begin at multiples of CHUNK, as even as that allows."""
    num_chunks = -(-num_pins // CHUNK)
    cuts = np.linspace(0, num_chunks, min(max(1, num_parts), num_chunks) + 1).round().astype(int) * CHUNK
    return [(int(first), min(int(last), num_pins)) for first, last in pairwise(cuts)]


def _place(job: InferenceJob, each: Pass) -> tuple[Path, str]:
    """The folder and the name of the array that a pass makes."""
    if each.kind == "head":
        return job.embeddings.parent, job.embeddings.stem
    folder = job.scratch / each.name
    folder.mkdir(exist_ok=True)
    return folder, each.name


def _width(network: PinSageNetwork, each: Pass) -> int:
    return network.shape.embedding_dim if each.kind in ("saves", "head") else network.shape.hidden_dim


def _map(path: Path, mode: Literal["r", "c"]) -> "np.memmap[Any, np.dtype[np.float32]]":
    return np.lib.format.open_memmap(path, mode=mode)


def _check(path: Path) -> EmbeddingFacts:
    vectors, num_zero = _map(path, "r"), 0
    for part in chunks(0, len(vectors)):
        lengths = np.linalg.norm(vectors[part], axis=1)  # [n]
        if not np.isfinite(lengths).all():
            pin = part.start + int((~np.isfinite(lengths)).argmax())
            raise PinSageError(f"The embedding of pin {pin} is not finite. Look at its features and train again.")
        num_zero += int((lengths == 0).sum())
    return EmbeddingFacts(len(vectors), num_zero)
