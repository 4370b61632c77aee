"""Saves held out for the test reach nothing that is made before the test."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from evaluation_world import NUM_BOARDS, World, write_dataset

BEFORE_THE_TEST = ("connect", "walk", "featurize_saves", "featurize_text", "featurize_visual", "train", "embed")


def with_other_test_saves(source: Path, folder: Path) -> Path:
    """The same data set, but the last save of each board, the one that is tested, is of another pin of any topic."""
    folder.mkdir()
    for name in ("pins", "boards"):
        (folder / f"{name}.parquet").write_bytes((source / f"{name}.parquet").read_bytes())
    saves, rng = pq.read_table(source / "saves.parquet").to_pydict(), np.random.default_rng(7)
    for board in {f"board-{number}" for number in range(NUM_BOARDS)}:
        rows = [row for row, name in enumerate(saves["board_id"]) if name == board and saves["pin_id"][row] != "nobody"]
        others = sorted({f"pin-{pin:02d}" for pin in range(40)} - {saves["pin_id"][row] for row in rows})
        last = max(rows, key=lambda row: saves["saved_at"][row])
        saves["pin_id"][last] = others[rng.integers(len(others))]
    pq.write_table(pa.table(saves), folder / "saves.parquet")
    return folder


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    """Two data sets that differ in their test saves alone, taken through the stages up to the index."""
    folder = tmp_path_factory.mktemp("leaks")
    dataset = write_dataset(folder / "data")
    other = with_other_test_saves(dataset, folder / "other data")
    return World(folder / "home", dataset), World(folder / "other home", other)


def files(world: World, stage: str) -> dict[str, bytes]:
    """The files that a stage published, by name, without the manifest, which names its inputs."""
    folder = world.store.folder(stage, world.run.result(stage).key)
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.json"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.mark.parametrize("stage", BEFORE_THE_TEST)
def test_other_test_saves_change_no_byte_of(worlds, stage):
    """Graph, walks, features, model and embeddings are the same to the last bit."""
    one, other = (files(world, stage) for world in worlds)
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == []


def test_the_test_pairs_themselves_are_others(worlds):
    """Or the comparison above would compare nothing; training and validation pairs are the same."""
    one, other = (files(world, "pair") for world in worlds)
    assert sorted(name for name in one if one[name] != other[name]) == ["test.parquet"]


def test_the_saves_of_the_two_data_sets_differ_in_one_save_of_each_board(worlds):
    """As many as there are boards."""
    tables = [pq.read_table(world.store.folder("ingest", world.run.result("ingest").key) / "saves.parquet")
              for world in worlds]  # fmt: skip
    known = [set(zip(table["board"].to_pylist(), table["pin"].to_pylist(), strict=True)) for table in tables]
    assert len(known[0] - known[1]) == len(known[1] - known[0]) == NUM_BOARDS
    assert pc.all(pc.equal(tables[0]["board"], tables[1]["board"])).as_py()
