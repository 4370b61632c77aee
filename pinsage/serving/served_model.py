"""The model that MLflow serves: related pins for known and for new pins, in models-from-code form (no pickle).

MLflow copies this very file into the model and runs it where the model is served, so the package must be installed
there, and no torch is imported, but for the pictures of vgg16.
"""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from mlflow import pyfunc
from mlflow.models import ModelSignature, set_model
from mlflow.pyfunc.model import PythonModel
from mlflow.types.schema import AnyType, Array, ColSpec, DataType, Object, Property, Schema

import pinsage
from pinsage.catalog.ids import PinIds
from pinsage.errors import ArtifactDamagedError, InputError, PinSageError
from pinsage.features.text import VECTORS, VOCABULARY
from pinsage.features.visual import encoder_digest
from pinsage.index.pin_index import PinIndex
from pinsage.index.query import Neighbors, best_without
from pinsage.model.shape import SHAPE, WEIGHTS
from pinsage.serving.new_pins import SETTINGS, NewPin, NewPinEncoder
from pinsage.serving.query_row import DEFAULT_K, OTHERS, TEXTS, QueryRow, is_missing
from pinsage.settings.loading import save_settings
from pinsage.settings.schema import Settings
from pinsage.store import manifest as manifests
from pinsage.store.manifest import Facts, Manifest

PINS, PINS_SHA256 = "pins.parquet", "pins_sha256"
# What a served model imports; torch is not among it.
REQUIREMENTS = ("mlflow", "annoy", "numpy", "pandas", "pillow", "pyarrow", "pydantic", "PyYAML", "safetensors")

Answer = dict[str, Any]


@dataclass(frozen=True)
class ModelParts:
    """The parts of a model version: folders that stages of one run published, and what goes with them.

    Attributes:
        index: folder with index.ann and index.json.
        network: folder with model.safetensors and model.json, which made the embeddings of the index.
        words: folder with words.npy and vocabulary.parquet, which the network was trained with.
        settings: of the run.
        version: names the index in every answer; the key of its artifact.
        pin_ids, titles: of every pin, in row order.
    """

    index: Path
    network: Path
    words: Path
    settings: Settings
    version: str
    pin_ids: list[str]
    titles: list[str]


class RelatedPins(PythonModel):
    """Related pins for each row of a table: of a pin that the catalog knows by its `pin_id`, or of a new one.

    Columns, all of which may be left out: `pin_id`; of a new pin what the table `pins` has, `title`, `description`,
    `annotations`, `link` and `image` (bytes, in JSON as base64); `k` pins asked for; `exclude`, pin_ids not wanted.
    """

    def load_context(self, context: Any) -> None:
        """Open the index, the pins it answers with, and the encoder of new pins, after their checksums agreed."""
        path, folder = (Path(context.artifacts[name]) for name in ("pins", "new_pins"))
        manifest = _verify(folder, path)
        pins = pq.read_table(path, columns=["pin_id", "title"])
        self.pin_ids = PinIds(pins["pin_id"].combine_chunks())
        self.titles = pins["title"]
        self.index = PinIndex.open(Path(context.artifacts["index"]))
        self.version, self.new_pins = manifest.key, _open_encoder(folder, manifest, self.index.dim)

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> list[Answer]:
        """One answer per row: `pin_id`, `is_new`, `related` (the highest score first), `error` and `version`.

        A row that cannot be answered gets an empty list and a sentence; the other rows are answered all the same, with
        null as their error.
        """
        return [self._answer(row) for row in model_input.to_dict("records")]

    def _answer(self, row: dict[Any, Any]) -> Answer:
        pin_id = None if is_missing(row.get("pin_id")) else str(row["pin_id"])
        answer: Answer = {"pin_id": pin_id, "is_new": False, "related": [], "error": None, "version": self.version}
        try:
            query = QueryRow.read(row)
            # A known pin is asked as it was published, with its saves: content in its row waits for the next refresh.
            pin = self.pin_ids.find(query.pin_id)
            return {**answer, "is_new": pin is None, "related": self._related(query, pin)}
        except PinSageError as error:
            return {**answer, "error": str(error)}

    def _related(self, query: QueryRow, pin: int | None) -> list[Answer]:
        if pin is None and query.content.is_empty:
            pin = self.pin_ids.row(query.pin_id)  # whose error names ids that look alike
        search = partial(self.index.related, pin) if pin is not None else self._search_for_new(query.content)
        excluded = self.pin_ids.known_pins(query.exclude)
        pins, scores = best_without(excluded, search, query.k, num_pins=self.index.num_pins)
        if not len(pins):
            raise InputError(f"No pin is left: exclude names {len(excluded)} of {len(self.pin_ids)}. Exclude fewer.")
        return [
            {"pin_id": pin_id, "title": self.titles[found].as_py(), "score": round(float(score), 6)}
            for pin_id, found, score in zip(self.pin_ids.pin_ids(pins), pins.tolist(), scores, strict=True)
        ]

    def _search_for_new(self, content: NewPin) -> Callable[[int], Neighbors]:
        return partial(self.index.related_to_vector, self.new_pins.embed(content))


def save_model(folder: Path, parts: ModelParts) -> None:
    """Write the MLflow model of `parts` into `folder`, with signature, example and pinned requirements.

    The folder above it holds its parts meanwhile.

    Raises:
        InputError: network, words and index do not fit each other.
    """
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="pins-") as scratch:
        pins, new_pins = Path(scratch) / PINS, Path(scratch) / "new_pins"
        table = pa.table({"pin_id": parts.pin_ids, "title": parts.titles})
        pq.write_table(table, pins, compression="zstd", write_page_checksum=True)
        _write_encoder(new_pins, parts, pins)
        _open_encoder(new_pins, _verify(new_pins, pins), PinIndex.open(parts.index).dim)
        pyfunc.save_model(
            path=str(folder),
            python_model=__file__,
            artifacts={"index": str(parts.index), "new_pins": str(new_pins), "pins": str(pins)},
            signature=signature(),
            input_example=_example(parts.pin_ids),
            pip_requirements=[f"{name}=={version(name)}" for name in _requirements(parts.settings)],
        )


def signature() -> ModelSignature:
    """The columns that the served model takes and gives."""
    related = Object([
        Property("pin_id", DataType.string), Property("title", DataType.string), Property("score", DataType.double),
    ])  # fmt: skip
    # Any type where MLflow would refuse the whole table for one row: its `long` does if a row leaves k out, its
    # `binary` if one has no image.
    inputs = [ColSpec(DataType.string, name, required=False) for name in TEXTS] + [_any(name) for name in OTHERS]
    outputs = [
        _any("pin_id"), ColSpec(DataType.boolean, "is_new"), ColSpec(Array(related), "related"), _any("error"),
        ColSpec(DataType.string, "version"),
    ]  # fmt: skip
    return ModelSignature(inputs=Schema(list(inputs)), outputs=Schema(list(outputs)))


def _any(name: str) -> ColSpec:
    return ColSpec(AnyType(), name, required=False)  # type: ignore[no-untyped-call]


def _example(pin_ids: list[str]) -> pd.DataFrame:
    """A known pin and a new one."""
    known = {"pin_id": pin_ids[0], "k": DEFAULT_K}
    new = {"title": "Lemon pie", "annotations": ["dessert", "lemon"], "exclude": pin_ids[:1]}
    return pd.DataFrame([known, new])


def _requirements(settings: Settings) -> list[str]:
    return [*REQUIREMENTS, *(["torch"] if settings.visual.encoder == "vgg16" else [])]


def _write_encoder(folder: Path, parts: ModelParts, pins: Path) -> None:
    folder.mkdir()
    for source, names in ((parts.network, (WEIGHTS, SHAPE)), (parts.words, (VECTORS, VOCABULARY))):
        for name in names:
            shutil.copyfile(source / name, folder / name)
    save_settings(parts.settings, folder / SETTINGS)
    facts: Facts = {"picture_digest": encoder_digest(parts.settings.visual), PINS_SHA256: manifests.file_sha256(pins)}
    files = manifests.file_entries(folder)
    manifest = Manifest("new_pins", parts.version, 1, {}, {}, {}, pinsage.__version__, files, facts)
    (folder / manifests.NAME).write_text(manifest.to_json(), encoding="utf-8")


def _verify(folder: Path, pins: Path) -> Manifest:
    """The manifest of the encoder of new pins, after its files and the table of pins agreed with it."""
    manifest = Manifest.read(folder)
    manifests.verify(folder, manifest)
    if manifests.file_sha256(pins) != manifest.facts.get(PINS_SHA256):
        raise ArtifactDamagedError(f"{pins} is not the table that was saved. Load the model from MLflow again.")
    return manifest


def _open_encoder(folder: Path, manifest: Manifest, dim: int) -> NewPinEncoder:
    return NewPinEncoder.open(folder, dim=dim, picture_digest=str(manifest.facts["picture_digest"]))


set_model(RelatedPins())
