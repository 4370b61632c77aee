"""Rows that were refused, counted by table and reason: by ingest, and pictures that could not be decoded."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

DECODING = "decoding"  # of pictures, by featurize_visual


@dataclass(frozen=True)
class Refusal:
    """Rows of one table that were refused for one reason."""

    table: str
    reason: str
    count: int


def refusals(ingested: Path, featurized_visual: Path) -> list[Refusal]:
    """The refusals of both stages, the most frequent first.

    Args:
        ingested, featurized_visual: the artifacts of ingest and featurize_visual.
    """
    rows = pq.read_table(ingested / "quarantine.parquet", columns=["table", "reason"])
    pictures = pq.read_table(featurized_visual / "quarantine.parquet", columns=["reason"])
    counted = rows.group_by(["table", "reason"]).aggregate([([], "count_all")]).to_pylist()
    counts = {(row["table"], row["reason"]): row["count_all"] for row in counted}
    counts |= {(DECODING, reason): count for reason, count in Counter(pictures["reason"].to_pylist()).items()}
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [Refusal(table, reason, count) for (table, reason), count in ordered]
