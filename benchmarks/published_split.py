"""PinSage on Gowalla's published split, board to pin, as LightGCN and those after it are measured.

The strength of popularity is chosen on pairs held out of the published training saves; then the whole training part is
trained on for the default length, and the published test saves of every board are ranked once. Where early stopping
would end is no guide: boards go on gaining when the pairs do not (docs/log.md).
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from quality_runs import Overrides, Record, Workplace, described, seeded
from recommendation_protocol import figures

from pinsage.catalog.catalog import Catalog
from pinsage.evaluation.baselines.similarity import Similarity
from pinsage.evaluation.ranking import board_chunks
from pinsage.evaluation.views import board_view
from pinsage.graph.csr import BipartiteGraph
from pinsage.pairs.pairs import HeldOutPairs
from pinsage.settings.schema import EvaluateSettings
from pinsage.store.run import Run

GOWALLA, PUBLISHED_SPLIT = "gowalla", "gowalla-published"
PUBLISHED = {  # Recall@20, NDCG@20: BARS, gowalla_m1
    "PinSage, as the NGCF paper reports it": (0.1380, 0.1196),
    "Item2Vec": (0.1326, 0.1057),
    "NGCF": (0.1570, 0.1327),
    "ItemCF": (0.1570, 0.1214),
    "YoutubeDNN": (0.1754, 0.1473),
    "EASE": (0.1765, 0.1467),
    "LightGCN": (0.1820, 0.1547),
    "GF-CF": (0.1849, 0.1518),
    "SimpleX": (0.1872, 0.1557),
}
MEASURED = Path(__file__).parent / "results/recommendation_protocol.json"
LABELS = {"ease": "EASE", "ease_by_boards": "EASE, from the boards' side", "gfcf": "GF-CF"}


def published_figures(place: Workplace, data: Path, seeds: Sequence[int]) -> dict[str, Any]:
    """Our figures for each seed, those published, and those of the proofs of the protocol."""
    folder = training_part(data / GOWALLA, place.home / "data" / "gowalla-train")
    shares: Overrides = {"pairs.test_share": 0.0, "pairs.validation_share": 0.1}
    trial = place.run(f"{PUBLISHED_SPLIT}/trial", folder, {**shares, **seeded(seeds[0])}, "train")
    choice: Overrides = {"model.popularity": trial.result("train").facts["popularity"]}
    runs = []
    for seed in seeds:
        shares["pairs.validation_share"] = 0.0
        run = place.run(f"{PUBLISHED_SPLIT}/{seed}", folder, {**shares, **choice, **seeded(seed)}, "embed")
        runs.append({"seed": seed, **described(run), "board": scored(place, run, data / GOWALLA)})
    return {"trial": described(trial), "choice": choice, "runs": runs, "published": PUBLISHED, "measured": measured()}


def training_part(source: Path, folder: Path) -> Path:
    """A data set of the published training saves alone: what is held out must not reach even the catalog."""
    if not folder.is_dir():
        folder.mkdir(parents=True)
        for name in ("pins", "boards"):
            shutil.copy(source / f"{name}.parquet", folder)
        saves = pq.read_table(source / "saves.parquet")
        pq.write_table(saves.filter(pc.equal(saves["split"], "train")), folder / "saves.parquet")
    return folder


def scored(place: Workplace, run: Run, source: Path) -> Record:
    """Recall@20 and NDCG@20 of the published test saves, each with its interval, and how many boards there are."""
    graph = BipartiteGraph.open(place.folder(run, "connect"))
    embeddings, popularity = (
        np.load(place.folder(run, "embed") / f"{name}.npy") for name in ("embeddings", "popularity")
    )
    test = numbered(source, Catalog.open(place.folder(run, "ingest")))
    view = board_view(test, graph, EvaluateSettings(max_boards=graph.num_boards))
    chunks = board_chunks(Similarity(embeddings, popularity, pin_degrees=graph.pin_degrees), view.pins)
    return {"boards": len(view.boards), "saves": len(test), **figures(chunks, view)}


def numbered(source: Path, catalog: Catalog) -> HeldOutPairs:
    """The published test saves in the numbers of a catalog."""
    saves = pq.read_table(source / "saves.parquet", columns=["board_id", "pin_id", "split"])
    saves = saves.filter(pc.equal(saves["split"], "test"))
    ids = {"pin_id": catalog.pins(["pin_id"]).column(0), "board_id": catalog.boards().column(0)}
    pins, boards = (
        pc.index_in(saves[name].cast(of.type), value_set=of.combine_chunks()).to_numpy() for name, of in ids.items()
    )
    return HeldOutPairs(np.full(len(pins), -1, np.int32), pins.astype(np.int32), boards.astype(np.int32))


def measured() -> list[tuple[str, float, float]]:
    """Recall@20 and NDCG@20 of other methods by the same code; see recommendation_protocol.py."""
    rows = json.loads(MEASURED.read_text())["methods"] if MEASURED.exists() else []
    return [(LABELS[row["method"]], row["recall@20"][0], row["ndcg@20"][0]) for row in rows if row["pins"] > 40_000]
