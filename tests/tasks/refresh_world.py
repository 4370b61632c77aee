"""Refreshes for tests: a model that was trained and released, newer tables, and a run with the real stages."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from evaluation_world import World, write_dataset

from pinsage.catalog.catalog import Catalog
from pinsage.release.releases import Releases
from pinsage.store.deployment import open_store
from pinsage.store.run import Run
from tasks.running.refresh import open_refresh
from tasks.running.runner import run_stage
from tasks.stages import REFRESH_STAGES

ANY = {"refresh.max_churn": 1.0}


def train_and_release(folder: Path) -> Path:
    """Train and release a model in the data folder `home` of a folder, on the data set `data` beside it."""
    # Room for all neighbors: of those with equal weights at the last place a row keeps some, drawn by its number.
    world = World(folder / "home", write_dataset(folder / "data"), **{"walk.num_neighbors": 39})
    for stage in ("index", "evaluate", "compare_days", "report"):
        world.publish(stage)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        for stage in ("promote", "approve", "release"):
            run_stage(stage, world.run, world.home)
    return folder


def add_pin(tables: Path, pin_id: str, boards=(), **fields) -> None:
    """Add a pin to a data set, and save it to boards."""
    for name, rows in (
        ("pins", [{"pin_id": pin_id, **fields}]),
        ("saves", [{"board_id": board, "pin_id": pin_id} for board in boards]),
    ):
        before = pq.read_table(tables / f"{name}.parquet")
        texts = [pa.field(each, pa.string()) for each in ("description", "link") if any(each in row for row in rows)]
        schema = pa.unify_schemas([before.schema, pa.schema(texts)])
        added = pa.Table.from_pylist(rows, schema)
        pq.write_table(pa.concat_tables([before, added], promote_options="default"), tables / f"{name}.parquet")


def refresh(home: Path, tables: Path, run_id: str = "refresh", **settings) -> Run:
    """A refresh with other tables, at its end."""
    run = open_refresh(run_id, home, {"data.dataset": str(tables), **ANY, **settings}, {})
    for stage in REFRESH_STAGES:
        run_stage(stage, run, home)
    return run


def vectors(home: Path, run: Run) -> dict[str, np.ndarray]:
    """The embedding of each pin of a run, by pin_id."""
    folders = {stage: open_store(home).artifacts.folder(stage, run.result(stage).key) for stage in ("ingest", "embed")}
    embeddings = np.load(folders["embed"] / "embeddings.npy")
    return dict(zip(Catalog.open(folders["ingest"]).pin_ids.array.to_pylist(), embeddings, strict=True))


def champion(home: Path) -> Run:
    """The run that trained the model."""
    return open_store(home).runs.open("world")


def current(home: Path):
    """The release that serves."""
    releases = Releases(open_store(home))
    return releases.open(releases.current().version)
