"""The stage `pair`: the files of the contract, and facts that add up."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pinsage.catalog.ids import PinIds
from pinsage.pairs.pairs import Pairs
from pinsage.settings.loading import load_settings
from pinsage.store.deployment import open_store
from tasks.running.runner import run_stage

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A home with an ingested data set of 50 pins, 30 boards and undated saves, and a paired run `r1`."""
    home = tmp_path_factory.mktemp("home")
    folder, rng = home / "data", np.random.default_rng(0)
    folder.mkdir()
    pq.write_table(pa.table({"pin_id": [f"p{pin}" for pin in range(50)]}), folder / "pins.parquet")
    pq.write_table(pa.table({"board_id": [f"b{board}" for board in range(30)]}), folder / "boards.parquet")
    rows = [(f"b{board}", f"p{pin}") for board in range(30) for pin in rng.choice(45, size=8, replace=False)]
    saves = pa.table({"board_id": [board for board, _ in rows], "pin_id": [pin for _, pin in rows]})
    pq.write_table(saves, folder / "saves.parquet")
    settings = load_settings(overrides={"data.dataset": str(folder)})
    run = open_store(home).runs.open_or_start("r1", settings)
    run_stage("ingest", run, home)
    run_stage("pair", run, home)
    return home


def folder_of(home: Path, stage: str) -> Path:
    return home / "artifacts" / stage / open_store(home).runs.open("r1").result(stage).key


def test_the_stage_writes_the_files_of_the_contract(home):
    """Names and types as docs/data_model.md says."""
    folder = folder_of(home, "pair")
    names = ["cold_pins.npy", "manifest.json", "saves.parquet", "test.parquet", "train.parquet", "validation.parquet"]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert str(pq.read_schema(folder / "train.parquet")) == "query: int32\npositive: int32"
    for split in ("validation", "test"):
        assert str(pq.read_schema(folder / f"{split}.parquet")) == "query: int32\npositive: int32\nboard: int32"
    assert str(pq.read_schema(folder / "saves.parquet")) == "board: int32\npin: int32"
    assert np.load(folder / "cold_pins.npy").dtype == np.int32


def test_the_facts_are_those_of_the_files(home):
    """240 saves: known and held-out ones together."""
    folder, facts = folder_of(home, "pair"), open_store(home).runs.open("r1").result("pair").facts
    for split in ("train", "validation", "test"):
        assert facts[f"{split}_pairs"] == len(Pairs.read(folder / f"{split}.parquet")) > 0
    assert facts["training_saves"] == pq.read_metadata(folder / "saves.parquet").num_rows
    assert facts["training_saves"] + facts["held_out_saves"] == 240
    assert (facts["source"], facts["order"], facts["share_in_time"]) == ("saves", "none", 0)


def test_pins_without_a_training_save_are_cold(home):
    """Among them the five pins that nobody saved."""
    folder = folder_of(home, "pair")
    cold = set(np.load(folder / "cold_pins.npy").tolist())
    touched = set(pq.read_table(folder / "saves.parquet").column("pin").to_pylist())
    assert cold == set(range(50)) - touched
    ids = PinIds(pq.read_table(folder_of(home, "ingest") / "pins.parquet").column("pin_id").combine_chunks())
    assert {ids.row(f"p{pin}") for pin in range(45, 50)} <= cold


def test_another_seed_is_another_artifact(home):
    """The settings of the section enter the key."""
    overrides = {"data.dataset": str(home / "data"), "pairs.seed": 7}
    run = open_store(home).runs.open_or_start("r2", load_settings(overrides=overrides))
    assert run_stage("ingest", run, home).reused
    assert run_stage("pair", run, home).key != folder_of(home, "pair").name


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "order", "known"),
    [("ml-latest-small-posters", "time", 0.11), ("mtg-duel-commander", "none", 0.78), ("gowalla", "none", 0.07)],
)
def test_real_data_sets_say_whether_their_saves_have_an_order(tmp_path, name, order, known):
    """Films are rated one after the other, a deck has one date, and check-ins come without times."""
    if not (SHARED / name).is_dir():
        pytest.skip(f"{SHARED / name} is not here: the real data sets are not part of the repository")
    run = open_store(tmp_path).runs.open_or_start("r1", load_settings(overrides={"data.dataset": str(SHARED / name)}))
    run_stage("ingest", run, tmp_path)
    facts = run_stage("pair", run, tmp_path).facts
    assert facts["order"] == order
    assert facts["known_test_pairs"] / facts["test_pairs"] == pytest.approx(known, abs=0.01)
    assert facts["test_pairs"] + facts["validation_pairs"] == facts["held_out_saves"]
