"""Build the Annoy index, as large as the recall asks."""

import json

import numpy as np
import pyarrow as pa

from pinsage.catalog.catalog import Catalog
from pinsage.index.choose import CurvePoint, choose_index
from pinsage.store.arrays import open_array
from pinsage.store.manifest import Facts, Manifest
from pinsage.store.parquet_files import write_parquet
from tasks.running.work import StageWork


def index(work: StageWork) -> Facts:
    """Publish an index of the embeddings and their popularity, and the recall of every setting that was measured.

    Returns:
        pins, dim, max_popularity (0: the cosine alone ranks), trees, search_k, recall_at_10, queries_per_s (one core),
        p99_ms, size_mb, and the curve: a JSON list of [trees, search_k, recall_at_10, queries_per_s, p99_ms, size_mb,
        build_s] of every setting that was measured.
    """
    settings, num_pins = work.settings.index, Catalog.open(work.inputs["ingest"]).num_pins
    embeddings = open_array(work.inputs["embed"] / "embeddings.npy", np.float32, (num_pins, None))
    popularity = open_array(work.inputs["embed"] / "popularity.npy", np.float32, (num_pins,))
    model_key = Manifest.read(work.inputs["embed"]).inputs.get("train", "")
    chosen = choose_index(embeddings, popularity, work.out, settings, model_key=model_key)
    measured = [*chosen.around, *chosen.curve]
    write_parquet(work.out / "recall.parquet", _recall_table(measured))
    header, search = chosen.index.header, chosen.point.search
    return {
        "pins": header.num_pins,
        "dim": header.dim,
        "max_popularity": round(header.max_popularity, 4),
        "trees": header.num_trees,
        "search_k": header.search_k,
        "recall_at_10": search.recall_at_10,
        "queries_per_s": round(search.queries_per_s, 1),
        "p99_ms": round(search.p99_ms, 3),
        "size_mb": round(header.size_bytes / 1e6, 3),
        "curve": _curve(measured),
    }


def _recall_table(curve: list[CurvePoint]) -> pa.Table:
    """The curve without its timings, which differ from run to run and belong to the facts."""
    columns = {
        "num_trees": pa.array([point.num_trees for point in curve], pa.int32()),
        "search_k": pa.array([point.search.search_k for point in curve], pa.int32()),
        "recall_at_10": pa.array([point.search.recall_at_10 for point in curve]),
        "size_bytes": pa.array([point.size_bytes for point in curve], pa.int64()),
    }
    return pa.table(columns)


def _curve(curve: list[CurvePoint]) -> str:
    rows = [
        [point.num_trees, point.search.search_k, point.search.recall_at_10, round(point.search.queries_per_s),
         round(point.search.p99_ms, 3), round(point.size_bytes / 1e6, 1), round(point.build_s, 2)]
        for point in curve
    ]  # fmt: skip
    return json.dumps(rows, separators=(",", ":"))
