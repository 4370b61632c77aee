"""The index that answers "which pins go with this one": Annoy over the embeddings, verified before it is mapped.

The only door to Annoy. An Annoy file has no checksum of its own, and a damaged one gives wrong answers or kills the
process, so `index.json` beside it says what it must be, and nothing is mapped that does not agree.

Letters: P pins, d embedding size, k pins asked for.
"""

import json
import time
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
METRIC: Final = "angular"  # on unit vectors the order of cosine similarity
UNIT_TOLERANCE = 1e-3
RECALL_DEPTH = 10
CHUNK_BYTES = 64_000_000
Neighbors = tuple[NDArray[np.int32], NDArray[np.float32]]


@dataclass(frozen=True)
class IndexHeader:
    """What an index file must be: its shape, how it is searched, whose embeddings it holds, and its bytes."""

    dim: int
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
            raise _damaged(path, f"cannot be read ({error!r})") from None
        if header.checksum != checksum:
            raise _damaged(path, "does not match its own checksum")
        return header

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
        cls, embeddings: NDArray[np.float32], folder: Path, settings: IndexSettings, *, model_key: str = ""
    ) -> "PinIndex":
        """The index of `embeddings`, written to `folder` and opened. The same input gives the same bytes.

        Args:
            embeddings: float32 [P, d], unit length.
            folder: where `index.ann` and `index.json` go; files of these names are replaced by a rename, because
                Annoy's own `save` truncates a file that another process may have mapped.
            settings: trees, search_k and seed.
            model_key: names the model that made the embeddings.

        Raises:
            InputError: an embedding is zero, not of unit length or holds NaN.

        Source: PinSage §3.5.
        """
        _check_unit_length(embeddings)
        draft = folder / f".{INDEX}.{uuid.uuid4().hex[:8]}"
        try:
            _write_annoy(embeddings, draft, settings)
            header = IndexHeader(
                embeddings.shape[1], METRIC, settings.num_trees, settings.search_k, len(embeddings), model_key,
                draft.stat().st_size, file_sha256(draft),
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
            raise _damaged(path, f"has {size or 0} bytes instead of {header.size_bytes}")
        if header.metric != METRIC:
            raise _damaged(path, f"was built for the metric '{header.metric}' instead of '{METRIC}'")
        if (found := file_sha256(path)) != header.sha256:
            raise _damaged(path, f"has sha256 {found[:12]}… instead of {header.sha256[:12]}…")
        annoy = AnnoyIndex(header.dim, METRIC)
        annoy.load(str(path))
        if annoy.get_n_items() != header.num_pins:
            raise _damaged(path, f"holds {annoy.get_n_items()} pins instead of {header.num_pins}")
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
        """The pins most similar to `pin`, most similar first, without `pin` itself.

        Args:
            pin: row number of the query.
            k: pins asked for; fewer come back where the catalog is smaller.
            search_k: nodes to inspect instead of the index's own number.

        Returns:
            int32 [≤k] pins and float32 [≤k] cosine similarities.

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
        # than k pins share its embedding.
        pins, distances = self._annoy.get_nns_by_item(pin, k + 1, effort, include_distances=True)
        others, cosines = _neighbors(pins, distances)
        keep = others != pin
        return others[keep][:k], cosines[keep][:k]

    def related_to_vector(self, vector: NDArray[np.float32], k: int, *, search_k: int | None = None) -> Neighbors:
        """The pins most similar to an embedding from outside, most similar first.

        Args:
            vector: float32 [d], not zero.
            k: pins asked for.
            search_k: nodes to inspect instead of the index's own number.

        Returns:
            int32 [≤k] pins and float32 [≤k] cosine similarities.

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
        return _neighbors(*self._annoy.get_nns_by_vector(vector.tolist(), k, effort, include_distances=True))


@dataclass(frozen=True)
class Recall:
    """How much of the exact answer a search finds at one `search_k`, and how fast it is on one core."""

    search_k: int
    recall_at_10: float
    queries_per_s: float


def measured_recall(index: PinIndex, embeddings: NDArray[np.float32], settings: IndexSettings) -> list[Recall]:
    """Recall@10 against exact search at several `search_k`, ascending, the index's own among them.

    A found pin counts when it is as similar to the query as the exact tenth: among equals Annoy may choose.

    Args:
        index: the index of `embeddings`.
        embeddings: float32 [P, d], unit length.
        settings: how many queries are drawn, and from which seed.
    """
    rng = np.random.default_rng(settings.seed)
    num_queries = min(settings.recall_queries, len(embeddings))
    queries = np.sort(rng.choice(len(embeddings), num_queries, replace=False))
    least = _exact_tenth(embeddings, queries)
    own = index.header.search_k
    efforts = sorted({RECALL_DEPTH * index.header.num_trees, own // 2, own, 2 * own, 4 * own} - {0})
    return [_recall(index, queries, least, effort) for effort in efforts]


def checked_recall(table: list[Recall], settings: IndexSettings) -> Recall:
    """The row of `table` at the index's own `search_k`.

    Raises:
        InputError: its recall is below `settings.min_recall`.
    """
    own = next(row for row in table if row.search_k == settings.search_k)
    if own.recall_at_10 < settings.min_recall:
        enough = [row.search_k for row in table if row.recall_at_10 >= settings.min_recall]
        advice = f"index.search_k to {enough[0]}" if enough else "index.num_trees and index.search_k"
        raise InputError(
            f"Recall@10 of the index is {own.recall_at_10:.3f} at search_k {own.search_k}, below index.min_recall "
            f"{settings.min_recall:g}. Raise {advice}."
        )
    return own


def _exact_tenth(embeddings: NDArray[np.float32], queries: NDArray[np.int64]) -> NDArray[np.float32]:
    """The cosine of each query's tenth most similar pin, float32 [Q]; of the last where there are fewer than ten."""
    depth = min(RECALL_DEPTH, len(embeddings) - 1)
    least = np.full(len(queries), np.inf, np.float32)
    size = max(1, CHUNK_BYTES // (4 * len(embeddings)))
    for start in range(0, len(queries) if depth else 0, size):
        chunk = queries[start : start + size]
        cosines = embeddings[chunk] @ embeddings.T  # [n, P]
        cosines[np.arange(len(chunk)), chunk] = -np.inf
        least[start : start + size] = np.partition(cosines, -depth, axis=1)[:, -depth]
    return least


def _recall(index: PinIndex, queries: NDArray[np.int64], least: NDArray[np.float32], search_k: int) -> Recall:
    depth = min(RECALL_DEPTH, index.num_pins - 1)
    started = time.perf_counter()
    answers = [index.related(int(query), RECALL_DEPTH, search_k=search_k)[1] for query in queries]
    seconds = time.perf_counter() - started
    found = sum(int(np.sum(cosines >= bar - 1e-5)) for cosines, bar in zip(answers, least, strict=True))
    recall = found / (depth * len(queries)) if depth else 1.0
    return Recall(search_k, round(recall, 6), len(queries) / max(seconds, 1e-9))


def _write_annoy(embeddings: NDArray[np.float32], path: Path, settings: IndexSettings) -> None:
    annoy = AnnoyIndex(embeddings.shape[1], METRIC)
    annoy.set_seed(settings.seed)  # has no effect after the first item
    for pin in range(len(embeddings)):
        annoy.add_item(pin, embeddings[pin].tolist())
    annoy.build(settings.num_trees, n_jobs=1)  # more jobs: other bytes every time
    annoy.save(str(path))
    annoy.unload()


def _neighbors(pins: list[int], distances: list[float]) -> Neighbors:
    """Annoy's angular distance is √(2 − 2·cosine)."""
    return np.array(pins, np.int32), (1 - np.square(np.array(distances)) / 2).astype(np.float32)


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


def _damaged(path: Path, fact: str) -> ArtifactDamagedError:
    return ArtifactDamagedError(f"{path} {fact}. Delete {path.parent}; the next run makes it again.")
