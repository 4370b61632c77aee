"""The model that MLflow serves: related pins for pins of the catalog, in models-from-code form (no pickle).

MLflow copies this very file into the model and runs it where the model is served, so the package must be installed
there, and nothing heavier than the index is imported.
"""

import math
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from mlflow import pyfunc
from mlflow.models import ModelSignature, set_model
from mlflow.pyfunc.model import PythonModel
from mlflow.types.schema import AnyType, Array, ColSpec, DataType, Object, Property, Schema

from pinsage.catalog.ids import PinIds
from pinsage.errors import InputError
from pinsage.index.pin_index import PinIndex

DEFAULT_K, MAX_K = 10, 1000
PINS = "pins.parquet"
# What a served model imports; torch is not among it.
REQUIREMENTS = ("mlflow", "annoy", "numpy", "pandas", "pyarrow", "pydantic", "PyYAML")

Answer = dict[str, Any]


@dataclass(frozen=True)
class ModelParts:
    """The parts of a model version: the published folders of index and network, and the pins by row.

    Attributes:
        index: folder with index.ann and index.json.
        network: folder with model.safetensors and model.json, kept beside the index it made.
        pin_ids, titles: of every pin, in row order.
    """

    index: Path
    network: Path
    pin_ids: list[str]
    titles: list[str]


class RelatedPins(PythonModel):
    """Related pins for each row of a table with a column `pin_id`, and `k` if the caller wants another number."""

    def load_context(self, context: Any) -> None:
        """Open the index, after its checksum agreed, and the pins it answers with."""
        pins = pq.read_table(context.artifacts["pins"], columns=["pin_id", "title"])
        self.pin_ids = PinIds(pins["pin_id"].combine_chunks())
        self.titles = pins["title"]
        self.index = PinIndex.open(Path(context.artifacts["index"]))

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> list[Answer]:
        """One answer per row: `pin_id`, `related` (the highest score first) and `error`, null if all is well.

        A pin that is unknown gets an empty list and a sentence; the other rows are answered all the same.
        """
        wanted = model_input["k"] if "k" in model_input else [None] * len(model_input)
        return [self._answer(pin_id, k) for pin_id, k in zip(model_input["pin_id"], wanted, strict=True)]

    def _answer(self, pin_id: object, k: object) -> Answer:
        if not isinstance(pin_id, str):  # JSON's null, a number or a list: no text column forbids them
            return {
                "pin_id": str(pin_id),
                "related": [],
                "error": f"pin_id is {repr(pin_id)[:40]}, not a text. Give a pin's id.",
            }
        try:
            pins, scores = self.index.related(self.pin_ids.row(pin_id), _check_k(k))
        except InputError as error:
            return {"pin_id": pin_id, "related": [], "error": str(error)}
        related = [
            {"pin_id": self.pin_ids.pin_id(pin), "title": self.titles[pin].as_py(), "score": round(float(score), 6)}
            for pin, score in zip(pins.tolist(), scores, strict=True)
        ]
        return {"pin_id": pin_id, "related": related, "error": None}


def save_model(folder: Path, parts: ModelParts) -> None:
    """Write the MLflow model of `parts` into `folder`, with signature, example and pinned requirements."""
    with tempfile.TemporaryDirectory(prefix="pinsage-pins-") as scratch:
        pins = Path(scratch) / PINS
        table = pa.table({"pin_id": parts.pin_ids, "title": parts.titles})
        pq.write_table(table, pins, compression="zstd", write_page_checksum=True)
        pyfunc.save_model(
            path=str(folder),
            python_model=__file__,
            artifacts={"index": str(parts.index), "network": str(parts.network), "pins": str(pins)},
            signature=signature(),
            input_example=pd.DataFrame({"pin_id": parts.pin_ids[:2], "k": [DEFAULT_K] * len(parts.pin_ids[:2])}),
            pip_requirements=[f"{name}=={version(name)}" for name in REQUIREMENTS],
        )


def signature() -> ModelSignature:
    """The columns that the served model takes and gives."""
    related = Object([
        Property("pin_id", DataType.string), Property("title", DataType.string), Property("score", DataType.double),
    ])  # fmt: skip
    # Any type: MLflow's `long` refuses the table if one row leaves k out, its `double` refuses whole numbers.
    k = ColSpec(AnyType(), "k", required=False)  # type: ignore[no-untyped-call]
    inputs = Schema([ColSpec(DataType.string, "pin_id"), k])
    outputs = Schema([
        ColSpec(DataType.string, "pin_id"), ColSpec(Array(related), "related"), ColSpec(AnyType(), "error"),  # type: ignore[no-untyped-call]
    ])  # fmt: skip
    return ModelSignature(inputs=inputs, outputs=outputs)


def _check_k(k: object) -> int:
    if k is None or k is pd.NA or (isinstance(k, float) and math.isnan(k)):
        return DEFAULT_K
    if isinstance(k, int | float | np.integer) and 1 <= k <= MAX_K and k == int(k):
        return int(k)
    raise InputError(f"k is {repr(k)[:40]}, but 1 to {MAX_K} related pins can be asked for. Give another k.")


set_model(RelatedPins())
