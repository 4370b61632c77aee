"""The files of a release, written from the artifacts of one run after they were checked against each other.

Letters: P pins, d embedding size.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from string import Template

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pinsage.catalog.catalog import Catalog
from pinsage.errors import InputError
from pinsage.features.text import VECTORS, VOCABULARY
from pinsage.features.visual import encoder_digest
from pinsage.index.build import check_scores
from pinsage.index.exact import EXACT_SCAN_PINS
from pinsage.index.header import HEADER, INDEX, IndexHeader
from pinsage.model.shape import SHAPE, WEIGHTS
from pinsage.serving.new_pins import SETTINGS
from pinsage.settings.loading import save_settings
from pinsage.settings.schema import Settings
from pinsage.store.arrays import open_array
from pinsage.store.manifest import Fact, Facts, Manifest
from pinsage.store.parquet_files import write_parquet, write_tables

PINS, BOARDS, EMBEDDINGS, POPULARITY = "pins.parquet", "boards.parquet", "embeddings.npy", "popularity.npy"
MODEL, WORDS = (WEIGHTS, SHAPE), (VECTORS, VOCABULARY)
EMBEDDINGS_TABLE = "embeddings.parquet"  # the same for readers without NumPy
METRICS, DECISION, README, CONSUMER = "metrics.parquet", "decision.json", "README.md", "consumer.py"
FILES = frozenset({
    PINS, BOARDS, EMBEDDINGS, POPULARITY, *MODEL, *WORDS, METRICS, DECISION, SETTINGS, README, CONSUMER,
    INDEX, HEADER, EMBEDDINGS_TABLE,
})  # fmt: skip
EXACT, ANNOY = "exact", "index"  # how a release is searched
_ROWS_AT_ONCE = 65_536


@dataclass(frozen=True)
class ModelVersion:
    """A version of a registered model."""

    name: str
    number: int

    def __str__(self) -> str:
        return f"Version {self.number} of {self.name}"

    def made(self, facts: Facts) -> bool:
        """Return whether a release with these facts is of this version."""
        # Releases made before each data set had a registered model of its own name none.
        return (facts.get("model_name", self.name), facts.get("model_version")) == (self.name, self.number)


@dataclass(frozen=True)
class ReleaseParts:
    """The parts of a release.

    Attributes:
        inputs: the folders of the artifacts of ingest, featurize_text, train, embed, index and evaluate; in a refresh
            that of evaluate is the one of the run that trained the model.
        model: the version of the registered model.
        decision: what the gate said: the facts of the stage promote, or of the stage gate in a refresh.
        settings: of the run.
        run_id: of the run.
    """

    inputs: Mapping[str, Path]
    model: ModelVersion
    decision: Facts
    settings: Settings
    run_id: str

    @property
    def index_key(self) -> str:
        """The key of the index, which depends on everything that decides an answer."""
        return Manifest.read(self.inputs["index"]).key


@dataclass(frozen=True)
class CheckedParts:
    """The arrays and the index header of a release, which agree with each other.

    Attributes:
        embeddings: float32 [P, d], unit length.
        popularity: float32 [P].
    """

    catalog: Catalog
    embeddings: NDArray[np.float32]
    popularity: NDArray[np.float32]
    header: IndexHeader


def check_parts(parts: ReleaseParts) -> CheckedParts:
    """Check that pins, embeddings, popularity, model and index belong together.

    Raises:
        InputError: names the two that do not agree, or the embedding that is no direction.
        ArtifactDamagedError: a file cannot be read.
    """
    catalog, header = Catalog.open(parts.inputs["ingest"]), IndexHeader.read(parts.inputs["index"] / HEADER)
    embeddings = open_array(parts.inputs["embed"] / EMBEDDINGS, np.float32, (None, None))
    popularity = open_array(parts.inputs["embed"] / POPULARITY, np.float32, (None,))
    model_dim = json.loads((parts.inputs["train"] / MODEL[1]).read_text(encoding="utf-8")).get("embedding_dim")
    _check_equal("pins", ("the catalog", catalog.num_pins), ("the embeddings", len(embeddings)))
    _check_equal("pins", ("the catalog", catalog.num_pins), ("the index", header.num_pins))
    _check_equal("dimension", ("the model", model_dim), ("the index", header.dim))
    _check_equal("dimension", ("the embeddings", embeddings.shape[1]), ("the index", header.dim))
    _check_equal("model", ("the training", Manifest.read(parts.inputs["train"]).key), ("the index", header.model_key))
    check_scores(embeddings, popularity)
    return CheckedParts(catalog, embeddings, popularity, header)


def write_contents(parts: ReleaseParts, version: str, folder: Path) -> Facts:
    """Write the files of a release into `folder`, and return what its manifest says beside their checksums.

    Raises:
        InputError: the parts do not belong together.
        ArtifactDamagedError: a file of an artifact cannot be read.
    """
    checked = check_parts(parts)
    _copy(parts, folder)
    pin_ids = checked.catalog.pins(["pin_id"])["pin_id"]
    titles = checked.catalog.titles(np.arange(len(pin_ids), dtype=np.int32))
    write_parquet(folder / PINS, pa.table({"pin_id": pin_ids, "title": pa.array(titles, pa.string())}))
    write_parquet(folder / BOARDS, _boards(checked.catalog))
    _write_embeddings(folder / EMBEDDINGS_TABLE, pin_ids, checked)
    facts = _facts(parts, checked, pin_ids)
    save_settings(parts.settings, folder / SETTINGS)
    (folder / DECISION).write_text(json.dumps(parts.decision, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    _write_words_for_people(folder, version, facts)
    return facts


def digest_of_ids(pin_ids: pa.ChunkedArray) -> str:
    """SHA-256 of pin_ids in row order, in hex: of each its length in bytes (8, little-endian) and its UTF-8 bytes."""
    digest = sha256()
    for chunk in pin_ids.chunks:
        for pin_id in chunk.to_pylist():
            data = pin_id.encode()
            digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


def _copy(parts: ReleaseParts, folder: Path) -> None:
    sources = {
        "embed": (EMBEDDINGS, POPULARITY), "index": (INDEX, HEADER), "train": MODEL, "featurize_text": WORDS,
        "evaluate": (METRICS,),
    }  # fmt: skip
    for stage, names in sources.items():
        for name in names:
            shutil.copyfile(parts.inputs[stage] / name, folder / name)


def _boards(catalog: Catalog) -> pa.Table:
    """Every board with the pins saved to it: `board_id` string, `pins` list of int32, row numbers of pins.parquet."""
    saves = catalog.saves().select(["board", "pin"]).combine_chunks()
    counts = np.bincount(saves["board"].to_numpy(), minlength=catalog.num_boards)
    offsets = np.concatenate([[0], np.cumsum(counts)])  # saves are sorted by board
    pins = pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), saves["pin"].combine_chunks())
    return pa.table({"board_id": catalog.boards()["board_id"], "pins": pins})


def _write_embeddings(path: Path, pin_ids: pa.ChunkedArray, checked: CheckedParts) -> None:
    """The embeddings for readers without NumPy: `pin_id`, `embedding` (list of d float32), `popularity` float32."""
    dim = checked.header.dim
    schema = pa.schema([
        ("pin_id", pin_ids.type), ("embedding", pa.list_(pa.float32(), dim)), ("popularity", pa.float32()),
    ])  # fmt: skip

    def block(start: int) -> pa.Table:
        rows = slice(start, start + _ROWS_AT_ONCE)
        flat = pa.array(np.ascontiguousarray(checked.embeddings[rows]).reshape(-1))
        vectors = pa.FixedSizeListArray.from_arrays(flat, dim)
        ids = pin_ids.slice(start, _ROWS_AT_ONCE)
        return pa.table([ids, vectors, pa.array(checked.popularity[rows])], schema=schema)

    write_tables(path, map(block, range(0, len(pin_ids), _ROWS_AT_ONCE)), schema)


def _facts(parts: ReleaseParts, checked: CheckedParts, pin_ids: pa.ChunkedArray) -> Facts:
    header, indexed = checked.header, Manifest.read(parts.inputs["index"]).facts
    return {
        "model_name": parts.model.name,
        "model_version": parts.model.number,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "run_id": parts.run_id,
        "pins": header.num_pins,
        "dim": header.dim,
        "stored_dim": header.stored_dim,
        "max_popularity": header.max_popularity,
        "metric": header.metric,
        "search": EXACT if header.num_pins < EXACT_SCAN_PINS else ANNOY,
        "search_k": header.search_k,
        "recall_at_10": indexed.get("recall_at_10"),
        "model_key": header.model_key,
        "index_key": parts.index_key,
        "pin_ids_sha256": digest_of_ids(pin_ids),
        "picture_digest": encoder_digest(parts.settings.visual),
        "decision": str(parts.decision.get("reason", "")),
    }


def _write_words_for_people(folder: Path, version: str, facts: Facts) -> None:
    room = files("pinsage.release")
    figures = {"num_pins": f"{facts['pins']:,}", "most_popularity": f"{facts['max_popularity']:.3g}"}
    shown: dict[str, Fact] = {
        **facts,
        **figures,
        "version": version,
        "search_in_words": _SEARCH_IN_WORDS[str(facts["search"])],
    }
    text = Template((room / "serving.md").read_text(encoding="utf-8")).substitute(shown)
    (folder / README).write_text(text, encoding="utf-8")
    (folder / CONSUMER).write_bytes((room / "consumer.py").read_bytes())


_SEARCH_IN_WORDS = {
    EXACT: f"Below {EXACT_SCAN_PINS:,} pins a scan of all embeddings, one matrix product, takes milliseconds and "
    "misses nothing, so `consumer.py` scans; the index is there for those who want more speed.",
    ANNOY: "`consumer.py` takes candidates from the Annoy index, mapped from disk, and scores them by the embeddings.",
}


def _check_equal(quantity: str, one: tuple[str, Fact], other: tuple[str, Fact]) -> None:
    if one[1] != other[1]:
        raise InputError(
            f"The {quantity} of {one[0]} ({one[1]}) and of {other[0]} ({other[1]}) differ: no release can be made of "
            "them. Run the pipeline again; the current release is left as it is."
        )
