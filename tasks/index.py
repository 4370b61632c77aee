"""Build the Annoy index and measure its recall."""

import logging
from dataclasses import replace

import numpy as np
import pyarrow as pa

from pinsage.catalog.catalog import Catalog
from pinsage.index import HEADER, INDEX, PinIndex
from pinsage.recall import enough_recall, measure_recall
from pinsage.store.arrays import open_array
from pinsage.store.manifest import Facts, Manifest
from pinsage.store.parquet_files import write_parquet
from tasks.running.work import StageWork

log = logging.getLogger(__name__)
EXACT_SCAN_PINS = 50_000  # below this a scan of all embeddings answers as fast as any index, and misses nothing


def index(work: StageWork) -> Facts:
    """Publish the index of the embeddings and their popularity with its recall table.

    Returns:
        pins, dim, max_popularity (0: the cosine alone ranks), trees, search_k, recall_at_10, queries_per_s (one core),
        size_mb, and whether an exact scan would be as fast on a catalog of this size.
    """
    settings, num_pins = work.settings.index, Catalog.open(work.inputs["ingest"]).num_pins
    embeddings = open_array(work.inputs["embed"] / "embeddings.npy", np.float32, (num_pins, None))
    popularity = open_array(work.inputs["embed"] / "popularity.npy", np.float32, (num_pins,))
    model_key = Manifest.read(work.inputs["embed"]).inputs.get("train", "")
    built = PinIndex.build(embeddings, popularity, work.out, settings, model_key=model_key)
    table = measure_recall(built, embeddings, popularity, settings)
    for row in table:
        log.info("search_k %d: recall@10 %.4f, %.0f queries/s", row.search_k, row.recall_at_10, row.queries_per_s)
    own = enough_recall(table, settings)
    if own.search_k > settings.search_k:
        log.info("search_k raised from %d to %d for index.min_recall", settings.search_k, own.search_k)
        replace(built.header, search_k=own.search_k).write(work.out / HEADER)
    columns = {"search_k": [row.search_k for row in table], "recall_at_10": [row.recall_at_10 for row in table]}
    write_parquet(work.out / "recall.parquet", pa.table(columns))
    return {
        "pins": built.num_pins,
        "dim": built.dim,
        "max_popularity": round(built.header.max_popularity, 4),
        "trees": settings.num_trees,
        "search_k": own.search_k,
        "recall_at_10": own.recall_at_10,
        "queries_per_s": round(own.queries_per_s, 1),
        "size_mb": round((work.out / INDEX).stat().st_size / 1e6, 3),
        "exact_scan_is_as_fast": built.num_pins < EXACT_SCAN_PINS,
    }
