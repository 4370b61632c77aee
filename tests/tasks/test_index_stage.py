"""The stage index on a real catalog: what it publishes and when it stops."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from evaluation_world import NUM_PINS, World, write_dataset

from pinsage.errors import InputError
from pinsage.index.header import INDEX
from pinsage.index.pin_index import PinIndex
from tasks.index import index


def shapeless() -> np.ndarray:
    """Directions without any order, which are the hardest to index: float32 [P, 32]."""
    vectors = np.random.default_rng(0).normal(size=(NUM_PINS, 32)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    """All stages before the index."""
    folder = tmp_path_factory.mktemp("index")
    return World(folder / "home", write_dataset(folder / "data"))


def test_the_index_holds_every_pin_and_names_its_model(world):
    """It opens, answers, and says which model made its embeddings."""
    built = PinIndex.open(world.publish("index"))
    assert built.num_pins == NUM_PINS
    assert built.header.model_key == world.run.result("train").key
    assert len(built.related(0, 5)[0]) == 5


def test_the_curve_is_published_without_timings(world):
    """Speeds differ from run to run, so they are facts and never in a file."""
    table = pq.read_table(world.publish("index") / "recall.parquet")
    assert table.schema.names == ["num_trees", "search_k", "recall_at_10", "size_bytes"]
    facts = world.run.result("index").facts
    assert table.to_pylist()[-1] == {
        "num_trees": facts["trees"], "search_k": facts["search_k"], "recall_at_10": facts["recall_at_10"],
        "size_bytes": (world.publish("index") / INDEX).stat().st_size,
    }  # fmt: skip
    assert [row[:3] for row in json.loads(facts["curve"])] == [list(row.values())[:3] for row in table.to_pylist()]
    assert facts["queries_per_s"] > 0


def test_the_index_is_the_same_twice(world, tmp_path):
    """Byte by byte."""
    index(world.work("index", tmp_path))
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (world.publish("index") / path.name).read_bytes()


def test_the_popularity_of_the_stage_embed_ranks_too(world, tmp_path):
    """The pin with the most saves is in every answer, and a fact says how much its popularity is."""
    work, popularity = world.work("index", tmp_path / "out"), np.zeros(NUM_PINS, np.float32)
    popularity[7] = 2.5
    shutil.copytree(work.inputs["embed"], tmp_path / "embed")
    np.save(tmp_path / "embed" / "popularity.npy", popularity)
    work.out.mkdir()
    facts = index(replace(work, inputs={**work.inputs, "embed": tmp_path / "embed"}))
    built = PinIndex.open(work.out)
    assert {built.related(pin, 1)[0].item() for pin in range(NUM_PINS) if pin != 7} == {7}
    assert (facts["max_popularity"], facts["dim"], built.header.stored_dim) == (2.5, built.dim, built.dim + 2)
    assert facts["recall_at_10"] == 1.0


def test_an_index_that_needs_a_more_thorough_search_says_so_in_its_header(world, tmp_path, monkeypatch):
    """Whoever opens it searches as it was measured."""
    monkeypatch.setattr("pinsage.index.choose.QUICK", (1, 2, 4))
    work = world.work("index", tmp_path / "out", index__num_trees=1, index__target_recall=0.9)
    shutil.copytree(work.inputs["embed"], tmp_path / "embed")
    np.save(tmp_path / "embed" / "embeddings.npy", shapeless())
    work.out.mkdir()
    facts = index(replace(work, inputs={**work.inputs, "embed": tmp_path / "embed"}))
    assert facts["search_k"] == PinIndex.open(work.out).header.search_k > 4
    assert facts["recall_at_10"] >= 0.9


def test_a_recall_below_the_target_stops_the_stage(world, tmp_path):
    """A bad index must not be published: one tree over vectors without any order finds two thirds."""
    work = world.work("index", tmp_path / "out", index__num_trees=1, index__search_k=1, index__target_recall=1.0)
    shutil.copytree(work.inputs["embed"], tmp_path / "embed")
    np.save(tmp_path / "embed" / "embeddings.npy", shapeless())
    work.out.mkdir()
    with pytest.raises(InputError, match=r"below index\.target_recall 1\. Raise index\.num_trees"):
        index(replace(work, inputs={**work.inputs, "embed": tmp_path / "embed"}))
