"""A small data set taken through the stages before the index, for the tests of index, evaluate and report.

Forty pins of two topics that pictures, words and boards agree on. Walks and embeddings are made in this process; all
else is done by the stages themselves. Every artifact is published with its manifest, since the report reads them.
"""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from pinsage.features.matrix import FeatureMatrix
from pinsage.graph.sessions import walk_graph_folder
from pinsage.inference import embed_all
from pinsage.model.file import load_network
from pinsage.settings.loading import load_settings
from pinsage.settings.schema import Settings
from pinsage.store.deployment import open_store
from pinsage.walks.hops import HopTables
from pinsage.walks.neighborhood import Neighborhoods, top_neighbors
from tasks.compare_days import compare_days
from tasks.connect import connect
from tasks.evaluate import evaluate
from tasks.featurize_saves import featurize_saves
from tasks.featurize_text import featurize_text
from tasks.featurize_visual import featurize_visual
from tasks.index import index
from tasks.ingest import ingest
from tasks.pair import pair
from tasks.report import report
from tasks.running.runner import run_stage, stage_recipe
from tasks.running.work import StageWork
from tasks.stages import STAGES
from tasks.train import train

NUM_PINS, NUM_BOARDS = 40, 24
HOSTILE = "<script>alert('pin 3')</script> & \"quotes\""
SMALL = {
    "text.dim": 8,
    "text.min_count": 1,
    "spectral.dim": 8,
    "walk.num_neighbors": 5,
    "walk.num_walks": 50,
    "model.hidden_dim": 8,
    "model.embedding_dim": 8,
    "train.steps": 12,
    "train.batch_size": 16,
    "train.num_negatives": 10,
    "train.max_hard_negatives": 0,
    "train.validate_every": 6,
    "train.log_every": 2,
    "train.num_threads": 1,
    "train.device": "cpu",
    "index.num_trees": 5,
    "evaluate.combined_steps": 12,
    "evaluate.pixie_walks": 50,
    "evaluate.ranks": [1, 10],
    "report.num_queries": 6,
    "report.num_neighbors": 4,
    "data.max_bad_share": 0.9,
}


class World:
    """The published artifacts of one run, and stages run upon them."""

    def __init__(self, home: Path, dataset: Path, *, run_id: str = "world", **overrides) -> None:
        """Take a data set through all stages before the index, as a run called `run_id`."""
        self.home, self.store = home, open_store(home).artifacts
        self.settings: Settings = load_settings(overrides={**SMALL, "data.dataset": str(dataset), **overrides})
        self.run = open_store(home).runs.open_or_start(run_id, self.settings)
        self._made = {
            "ingest": ingest, "pair": pair, "connect": connect, "featurize_text": featurize_text,
            "featurize_visual": featurize_visual, "featurize_saves": featurize_saves, "walk": _walk, "train": train,
            "embed": _embed, "index": index, "evaluate": evaluate,
            "compare_days": compare_days, "report": report,
        }  # fmt: skip
        for stage in list(self._made)[:-4]:  # all but index and what follows it
            self.publish(stage)

    def publish(self, stage: str) -> Path:
        """The folder of a stage's artifact, made now unless it is there."""
        recipe = stage_recipe(STAGES[stage], self.run, self.home)
        if not self.store.has(stage, recipe.key):
            with self.store.publish(recipe) as draft:
                draft.facts.update(self._made[stage](self.work(stage, draft.folder)))
        run_stage(stage, self.run, self.home)
        return self.store.folder(stage, recipe.key)

    def work(self, stage: str, out: Path, **overrides) -> StageWork:
        """The work of a stage with `out` as its folder, under settings of which some may differ."""
        sections = {name: dict(getattr(self.settings, name)) for name in Settings.model_fields}
        for name, value in overrides.items():
            section, _, field = name.partition("__")
            sections[section][field] = value
        inputs = {name: self.store.folder(name, self.run.result(name).key) for name in STAGES[stage].inputs}
        scratch = out.parent / f"scratch-{out.name}"
        identity = stage_recipe(STAGES[stage], self.run, self.home).identity
        settings = Settings.model_validate(sections)
        return StageWork(settings, inputs, out, scratch, self.home, self.run.run_id, identity=identity)


def write_dataset(folder: Path, *, has_content: bool = True) -> Path:
    """Pins, boards and saves of two topics; one title is hostile, one picture is cut short, one save names no pin."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    pins = {"pin_id": [f"pin-{pin:02d}" for pin in range(NUM_PINS)]}
    if has_content:
        pictures = [_picture(pin % 2, rng) for pin in range(NUM_PINS)]
        pictures[5] = pictures[5][:60]
        pins["title"] = [HOSTILE if pin == 3 else f"Title {pin}" for pin in range(NUM_PINS)]
        pins["annotations"] = [["sea", "wave", f"w{pin}"] if pin % 2 else ["forest", "tree"] for pin in range(NUM_PINS)]
        pins["image"] = [picture if pin % 8 else None for pin, picture in enumerate(pictures)]
    saves = [(board, pin) for board in range(NUM_BOARDS) for pin in rng.choice(20, 7, replace=False) * 2 + board % 2]
    start = datetime(2026, 1, 1, tzinfo=UTC)
    rows = {
        "board_id": [f"board-{board}" for board, _ in saves] + ["board-0"],
        "pin_id": [f"pin-{pin:02d}" for _, pin in saves] + ["nobody"],
        "saved_at": [start + timedelta(minutes=i) for i in range(len(saves) + 1)],
    }
    pq.write_table(pa.table(pins), folder / "pins.parquet")
    pq.write_table(pa.table({"board_id": [f"board-{board}" for board in range(NUM_BOARDS)]}), folder / "boards.parquet")
    pq.write_table(pa.table(rows), folder / "saves.parquet")
    return folder


def _picture(topic: int, rng: np.random.Generator) -> bytes:
    pixels = rng.integers(0, 80, (48, 64, 3), dtype=np.uint8)
    pixels[..., 2 if topic else 1] += 150
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _walk(work: StageWork) -> dict[str, int]:
    hops = HopTables.open(walk_graph_folder(work.inputs["connect"]))
    top_neighbors(hops, np.arange(hops.num_pins, dtype=np.int32), work.settings.walk)[0].save(work.out)
    np.save(work.out / "hard_negatives.npy", np.full((hops.num_pins, 1), -1, np.int32))
    return {"pins": hops.num_pins}


def _embed(work: StageWork) -> dict[str, int]:
    features = FeatureMatrix.open(work.inputs)
    vectors = embed_all(load_network(work.inputs["train"]), features, Neighborhoods.open(work.inputs["walk"]))
    np.save(work.out / "embeddings.npy", vectors)
    np.save(work.out / "popularity.npy", np.zeros(len(vectors), np.float32))
    return {"pins": len(vectors)}
