"""Related pins of this release, with annoy, numpy and pyarrow alone: python consumer.py PIN_ID [K]."""

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from annoy import AnnoyIndex


def related(folder: Path, pin_id: str, k: int) -> list[tuple[str, float]]:
    """The `k` pins that score highest for a pin, and their scores, the best first."""
    facts = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["facts"]
    pin_ids = pq.read_table(folder / "pins.parquet")["pin_id"].to_pylist()
    if pin_id not in pin_ids:
        raise SystemExit(f"No pin of this release has the pin_id {pin_id!r}. Take one of pins.parquet.")
    pin, found = pin_ids.index(pin_id), np.arange(len(pin_ids))
    embeddings, popularity = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("embeddings", "popularity"))
    if facts["search"] == "index":
        index = AnnoyIndex(facts["stored_dim"], facts["metric"])
        index.load(str(folder / "index.ann"))
        # Stored vectors hold the popularity in two more numbers, so that one product gives the score.
        query = [*embeddings[pin].tolist(), 1.0, 0.0][: facts["stored_dim"]]
        # One more than asked for: the pin itself is its own nearest neighbor.
        found = np.array(index.get_nns_by_vector(query, k + 1, max(facts["search_k"], k + 1)))
    found = found[found != pin]
    scores = embeddings[found] @ embeddings[pin] + popularity[found]
    return [(pin_ids[found[place]], float(scores[place])) for place in np.argsort(-scores, kind="stable")[:k]]


if __name__ == "__main__":
    for other, score in related(Path(__file__).parent, sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10):
        print(f"{score:.4f}  {other}")  # noqa: T201
