"""The index that answers "which pins go with this one": Annoy over the embeddings, verified before it is mapped.

The only door to Annoy. An Annoy file has no checksum of its own, and a damaged one gives wrong answers or kills the
process, so `index.json` beside it says what it must be, and nothing is mapped that does not agree.

A pin j answers a query q by its score z_q · z_j + p_j, the cosine plus a popularity p_j ≥ 0. Annoy ranks by angle, so
where any popularity is above 0 it is given items [z_j, p_j, √(p_max² - p_j²)], all as long as each other, and queries
[z_q, 1, 0]: their products are the scores, and of items of one length the angle has the order of the product.
Source: Bachrach et al., "Speeding up the Xbox recommender system using a Euclidean transformation for inner-product
spaces", RecSys 2014.

Letters: P pins, d embedding size, k pins asked for.
"""

import json
import math
import uuid
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np
from annoy import AnnoyIndex
from numpy.typing import NDArray

from pinsage.errors import ArtifactDamagedError, InputError, UnknownPinError
from pinsage.settings import IndexSettings
from pinsage.store.manifest import file_sha256

INDEX, HEADER = "index.ann", "index.json"
METRIC: Final = "angular"  # of items of one length the order of their products with a query
UNIT_TOLERANCE = 1e-3
Neighbors = tuple[NDArray[np.int32], NDArray[np.float32]]


@dataclass(frozen=True)
class IndexHeader:
    """The header of an index file: its shape, search settings, source embeddings, and checksum.

    Attributes:
        dim: d, size of an embedding.
        stored_dim: size of an item: d, or d + 2 where popularity is part of the score.
        max_popularity: p_max; 0 where the cosine is the score.
    """

    dim: int
    stored_dim: int
    max_popularity: float
    metric: str
    num_trees: int
    search_k: int
    num_pins: int
    model_key: str
    size_bytes: int
    sha256: str

    def write(self, path: Path) -> None:
        """Write the header as JSON with a checksum of its own."""
        body = {**asdict(self), "checksum": self.checksum}
        path.write_text(json.dumps(body, indent=1, sort_keys=True) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "IndexHeader":
        """The header that `write` wrote.

        Raises:
            ArtifactDamagedError: it is missing, is no header, or a value was changed.
        """
        try:
            body = json.loads(path.read_text(encoding="utf-8"))
            checksum, header = body.pop("checksum"), cls(**body)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise _damage_error(path, f"cannot be read ({error!r})") from None
        if header.checksum != checksum:
            raise _damage_error(path, "does not match its own checksum")
        return header

    @property
    def has_popularity(self) -> bool:
        """True if popularity is part of the score."""
        return self.max_popularity > 0

    @property
    def longest_product(self) -> float:
        """The length of an item times that of a query: a score is so many times the cosine between them."""
        return math.sqrt(2 * (1 + self.max_popularity**2)) if self.has_popularity else 1.0

    @property
    def checksum(self) -> str:
        """SHA-256 of the header's values, in hex."""
        return sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


class PinIndex:
    """An index of P embeddings in a folder, mapped read-only; item i is pin i."""

    def __init__(self, annoy: AnnoyIndex, header: IndexHeader) -> None:
        self._annoy = annoy
        self.header = header

    @classmethod
    def build(
        cls,
        embeddings: NDArray[np.float32],
        popularity: NDArray[np.float32],
        folder: Path,
        settings: IndexSettings,
        *,
        model_key: str = "",
    ) -> "PinIndex":
        """The index of `embeddings`, written to `folder` and opened. The same input gives the same bytes.

        Args:
            embeddings: float32 [P, d], unit length.
            popularity: float32 [P], at least 0, added to the cosine where the pin is a candidate.
            folder: where `index.ann` and `index.json` go; files of these names are replaced by a rename, because
                Annoy's own `save` truncates a file that another process may have mapped.
            settings: trees, search_k and seed.
            model_key: names the model that made the embeddings.

        Raises:
            InputError: an embedding is zero, not of unit length or holds NaN, or a popularity is below 0 or no number.

        Source: PinSage §3.5.
        """
        _check_unit_length(embeddings)
        _check_popularity(popularity, len(embeddings))
        highest = float(popularity.max())
        draft = folder / f".{INDEX}.{uuid.uuid4().hex[:8]}"
        try:
            stored_dim = _write_annoy(embeddings, popularity if highest else None, draft, settings)
            header = IndexHeader(
                embeddings.shape[1], stored_dim, highest, METRIC, settings.num_trees, settings.search_k,
                len(embeddings), model_key, draft.stat().st_size, file_sha256(draft),
            )  # fmt: skip
            draft.replace(folder / INDEX)
        finally:
            draft.unlink(missing_ok=True)
        header.write(folder / HEADER)
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path) -> "PinIndex":
        """The index in `folder`, after size, checksum and dimension agreed with its header.

        Raises:
            ArtifactDamagedError: a file is missing or is not what was written.
        """
        header, path = IndexHeader.read(folder / HEADER), folder / INDEX
        size = path.stat().st_size if path.is_file() else None
        if size != header.size_bytes:
            raise _damage_error(path, f"has {size or 0} bytes instead of {header.size_bytes}")
        if header.metric != METRIC:
            raise _damage_error(path, f"was built for the metric '{header.metric}' instead of '{METRIC}'")
        if (found := file_sha256(path)) != header.sha256:
            raise _damage_error(path, f"has sha256 {found[:12]}… instead of {header.sha256[:12]}…")
        annoy = AnnoyIndex(header.stored_dim, METRIC)
        annoy.load(str(path))
        if annoy.get_n_items() != header.num_pins:
            raise _damage_error(path, f"holds {annoy.get_n_items()} pins instead of {header.num_pins}")
        return cls(annoy, header)

    @property
    def num_pins(self) -> int:
        """P, pins in the index."""
        return self.header.num_pins

    @property
    def dim(self) -> int:
        """d, size of an embedding."""
        return self.header.dim

    def related(self, pin: int, k: int, *, search_k: int | None = None) -> Neighbors:
        """The pins that score highest for `pin`, the best first, without `pin` itself.

        Args:
            pin: row number of the query.
            k: pins asked for; fewer come back where the catalog is smaller.
            search_k: nodes to inspect instead of the index's own number.

        Returns:
            int32 [≤k] pins and float32 [≤k] scores: cosine + popularity.

        Raises:
            UnknownPinError: the index has no such pin.
        """
        if not 0 <= pin < self.num_pins:
            raise UnknownPinError(
                f"Pin {pin} is not in the index, whose pins run from 0 to {self.num_pins - 1}. "
                "Take a pin of the catalog that the index was built from."
            )
        k = max(0, min(k, self.num_pins))
        effort = max(search_k or self.header.search_k, k + 1)
        # One more than asked for: the pin itself comes back too, though not always first, and not at all when more
        # than k pins share its embedding or are popular enough.
        embedding = self._annoy.get_item_vector(pin)[: self.dim]
        others, scores = self._search(embedding, k + 1, effort)
        keep = others != pin
        return others[keep][:k], scores[keep][:k]

    def related_to_vector(self, vector: NDArray[np.float32], k: int, *, search_k: int | None = None) -> Neighbors:
        """The pins that score highest for an embedding from outside, the best first.

        Args:
            vector: float32 [d], not zero; its length does not matter.
            k: pins asked for.
            search_k: nodes to inspect instead of the index's own number.

        Returns:
            int32 [≤k] pins and float32 [≤k] scores: cosine + popularity.

        Raises:
            InputError: the vector has another size, is zero or holds NaN.
        """
        if vector.shape != (self.dim,) or not np.isfinite(vector).all() or not vector.any():
            raise InputError(
                f"A query vector of shape {list(vector.shape)} with length {np.linalg.norm(vector):.3g} cannot be "
                f"looked up among embeddings of size {self.dim}. Give one finite vector of that size that is not zero."
            )
        k = max(0, min(k, self.num_pins))
        effort = max(search_k or self.header.search_k, k)
        length = float(np.linalg.norm(vector.astype(np.float64)))
        return self._search([value / length for value in vector.tolist()], k, effort)

    def _search(self, embedding: list[float], k: int, effort: int) -> Neighbors:
        """The `k` pins that score highest for an embedding of unit length."""
        query = [*embedding, 1.0, 0.0] if self.header.has_popularity else embedding
        pins, distances = self._annoy.get_nns_by_vector(query, k, effort, include_distances=True)
        cosines = 1 - np.square(np.array(distances)) / 2  # Annoy's angular distance is √(2 − 2·cosine)
        return np.array(pins, np.int32), (cosines * self.header.longest_product).astype(np.float32)


def _write_annoy(
    embeddings: NDArray[np.float32], popularity: NDArray[np.float32] | None, path: Path, settings: IndexSettings
) -> int:
    """Write the index file; returns the size of an item."""
    more = np.empty((len(embeddings), 0)) if popularity is None else _popularity_columns(popularity)
    stored_dim = int(embeddings.shape[1] + more.shape[1])
    annoy = AnnoyIndex(stored_dim, METRIC)
    annoy.set_seed(settings.seed)  # has no effect after the first item
    for pin in range(len(embeddings)):
        annoy.add_item(pin, [*embeddings[pin].tolist(), *more[pin].tolist()])
    annoy.build(settings.num_trees, n_jobs=1)  # more jobs: other bytes every time
    annoy.save(str(path))
    annoy.unload()
    return stored_dim


def _popularity_columns(popularity: NDArray[np.float32]) -> NDArray[np.float64]:
    """The popularity and what brings all items to one length: float64 [P, 2]."""
    squares = np.square(popularity, dtype=np.float64)
    return np.stack([popularity, np.sqrt(squares.max() - squares)], axis=1)


def _check_unit_length(embeddings: NDArray[np.float32]) -> None:
    if embeddings.ndim != 2 or 0 in embeddings.shape:
        raise InputError(f"Embeddings of shape {list(embeddings.shape)} cannot be indexed. Give one row per pin.")
    lengths = np.sqrt(np.einsum("pd,pd->p", embeddings, embeddings))
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


def _damage_error(path: Path, fact: str) -> ArtifactDamagedError:
    return ArtifactDamagedError(f"{path} {fact}. Delete {path.parent}; the next run makes it again.")
