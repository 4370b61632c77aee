"""The file of an index: Annoy over the embeddings, built on disk.

A pin j answers a query q by its score z_q · z_j + p_j, the cosine plus a popularity p_j ≥ 0. Annoy ranks by angle, so
where any popularity is above 0 it is given items [z_j, p_j, √(p_max² - p_j²)], all as long as each other, and queries
[z_q, 1, 0]: their products are the scores, and of items of one length the angle has the order of the product.
Source: Bachrach et al., "Speeding up the Xbox recommender system using a Euclidean transformation for inner-product
spaces", RecSys 2014.

Letters: P pins, d embedding size.
"""

import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from annoy import AnnoyIndex
from numpy.typing import NDArray

from pinsage.errors import DiskFullError, InputError
from pinsage.index.header import HEADER, INDEX, METRIC, IndexHeader
from pinsage.store.manifest import file_sha256

UNIT_TOLERANCE = 1e-3
_NODE_BYTES = 12  # of a node beside its vector
_TREE_BYTES_PER_PIN = 14  # a leaf is about 0.6 full, and there is an inner node for each; measured, whatever d is


@dataclass(frozen=True)
class IndexPlan:
    """The settings of one build.

    Attributes:
        num_trees: more trees find more and make the file larger.
        search_k: nodes that a search inspects unless it asks for more.
        seed: of the planes that split the trees.
        threads: more than one build faster, and other bytes every time.
    """

    num_trees: int = 50
    search_k: int = 5000
    seed: int = 0
    threads: int = 1


def write_index(
    embeddings: NDArray[np.float32],
    popularity: NDArray[np.float32],
    folder: Path,
    plan: IndexPlan,
    *,
    model_key: str = "",
) -> IndexHeader:
    """Write `index.ann` and `index.json`; with one thread the same input gives the same bytes.

    Args:
        embeddings: float32 [P, d], unit length.
        popularity: float32 [P], at least 0, added to the cosine where the pin is a candidate.
        folder: files of these names in it are replaced by a rename, because Annoy truncates a file that another
            process may have mapped.
        plan: trees, search_k, seed and threads.
        model_key: names the model that made the embeddings.

    Raises:
        InputError: an embedding is zero, not of unit length or holds NaN, or a popularity is below 0 or no number.
        DiskFullError: the disk has no room for the index.

    Source: PinSage §3.5.
    """
    check_scores(embeddings, popularity)
    highest = float(popularity.max())
    draft = folder / f".{INDEX}.{uuid.uuid4().hex[:8]}"
    try:
        stored_dim = _write_annoy(embeddings, popularity if highest else None, draft, plan)
        header = IndexHeader(
            embeddings.shape[1], stored_dim, highest, METRIC, plan.num_trees, plan.search_k,
            len(embeddings), model_key, draft.stat().st_size, file_sha256(draft),
        )  # fmt: skip
        draft.replace(folder / INDEX)
    finally:
        draft.unlink(missing_ok=True)
    header.write(folder / HEADER)
    return header


def expected_bytes(num_pins: int, stored_dim: int, num_trees: int) -> int:
    """The size of an index file, about."""
    return num_pins * (_NODE_BYTES + 4 * stored_dim + _TREE_BYTES_PER_PIN * num_trees)


def check_scores(embeddings: NDArray[np.float32], popularity: NDArray[np.float32]) -> None:
    """Check what an index is made of.

    Raises:
        InputError: an embedding is zero, not of unit length or holds NaN, or a popularity is below 0 or no number.
    """
    _check_unit_length(embeddings)
    _check_popularity(popularity, len(embeddings))


def _write_annoy(
    embeddings: NDArray[np.float32], popularity: NDArray[np.float32] | None, path: Path, plan: IndexPlan
) -> int:
    """Write the index file; returns the size of an item."""
    more = np.empty((len(embeddings), 0)) if popularity is None else _popularity_columns(popularity)  # [P, 0 or more]
    stored_dim = int(embeddings.shape[1] + more.shape[1])
    _check_room(path.parent, expected_bytes(len(embeddings), stored_dim, plan.num_trees))
    annoy = AnnoyIndex(stored_dim, METRIC)
    annoy.set_seed(plan.seed)  # has no effect after the first item
    annoy.on_disk_build(str(path))  # the bytes that `save` would write, without a second copy in memory
    for pin in range(len(embeddings)):
        annoy.add_item(pin, [*embeddings[pin].tolist(), *more[pin].tolist()])
    annoy.build(plan.num_trees, n_jobs=plan.threads)
    annoy.unload()
    return stored_dim


def _check_room(folder: Path, size_bytes: int) -> None:
    # Annoy writes through a memory map: a disk that fills meanwhile ends the process with SIGBUS and no sentence.
    free = shutil.disk_usage(folder).free
    if free < size_bytes:
        raise DiskFullError(
            f"The index needs about {size_bytes:,} bytes, and the disk of {folder} has {free:,} bytes free. Free space "
            "and run again."
        )


def _popularity_columns(popularity: NDArray[np.float32]) -> NDArray[np.float64]:
    """The popularity and what brings all items to one length: float64 [P, 2]."""
    squares = np.square(popularity, dtype=np.float64)
    return np.stack([popularity, np.sqrt(squares.max() - squares)], axis=1)


def _check_unit_length(embeddings: NDArray[np.float32]) -> None:
    if embeddings.ndim != 2 or 0 in embeddings.shape:
        raise InputError(f"Embeddings of shape {list(embeddings.shape)} cannot be indexed. Give one row per pin.")
    lengths = np.sqrt(np.einsum("pd,pd->p", embeddings, embeddings))  # [P]
    bad = np.flatnonzero(~(np.abs(lengths - 1) <= UNIT_TOLERANCE))
    if len(bad):
        raise InputError(
            f"{len(bad)} of {len(embeddings)} embeddings are not of length 1 (first: pin {bad[0]}, length "
            f"{lengths[bad[0]]:.3g}). A zero or NaN embedding has no neighbors; train the model again."
        )


def _check_popularity(popularity: NDArray[np.float32], num_pins: int) -> None:
    if popularity.shape != (num_pins,):
        raise InputError(
            f"{num_pins} embeddings came with popularity of shape {list(popularity.shape)}. Give one each."
        )
    bad = np.flatnonzero(~((popularity >= 0) & (popularity < np.inf)))
    if len(bad):
        raise InputError(
            f"{len(bad)} of {num_pins} popularities are not numbers of at least 0 (first: pin {bad[0]}, "
            f"{popularity[bad[0]]:.3g}). Embed the pins again."
        )
