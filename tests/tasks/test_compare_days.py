"""The stage compare_days on real artifacts: each day beside the run before it and beside the champion's."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from evaluation_world import SMALL, write_dataset

from pinsage.drift.measures import Measure
from pinsage.drift.table import HISTORY, read_measures
from pinsage.promotion.decisions import DECISIONS, Decision, Decisions
from pinsage.settings.loading import load_settings
from pinsage.store.deployment import open_store
from pinsage.store.manifest import Manifest, artifact_key
from pinsage.store.run import Run, StageResult
from tasks.running.former import former_runs
from tasks.running.runner import run_stage

MODEL = "pinsage-days"


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """The tables of the first day."""
    return write_dataset(tmp_path_factory.mktemp("days") / "data")


@pytest.fixture
def home(tmp_path) -> Path:
    """An empty data folder."""
    return tmp_path / "home"


def edit(data: Path, folder: Path, table: str, change) -> Path:
    """A copy of the tables in which `change` was applied to one of them."""
    copy = shutil.copytree(data, folder)
    pq.write_table(change(pq.read_table(copy / f"{table}.parquet")), copy / f"{table}.parquet")
    return copy


def day(home: Path, data: Path, run_id: str, *, seed: int = 0, **overrides) -> Run:
    """A run up to compare_days: the real stages, but for embeddings drawn around two directions."""
    settings = load_settings(overrides={**SMALL, "data.dataset": str(data), "tracking.model_name": MODEL, **overrides})
    run = open_store(home).runs.open_or_start(run_id, settings)
    for stage in ("ingest", "pair", "connect", "featurize_text", "featurize_visual"):
        run_stage(stage, run, home)
    run.record(StageResult("embed", embed(home, run, seed), 0.0, False))
    for stage in ("index", "compare_days"):
        run_stage(stage, run, home)
    return run


def embed(home: Path, run: Run, seed: int) -> str:
    """The key of embeddings of the run's pins, of which half have new directions with another seed."""
    num_pins = int(run.result("ingest").facts["pins"])
    vectors = np.random.default_rng(0).normal(size=(num_pins, 8))
    vectors[: num_pins // 2] = np.random.default_rng(seed).normal(size=(num_pins // 2, 8))
    key = artifact_key("embed", 1, {"seed": seed}, {"ingest": run.result("ingest").key}, {})
    with open_store(home).artifacts.publish(Manifest("embed", key, 1, {}, {}, {}, "test")) as draft:
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        np.save(draft.folder / "embeddings.npy", unit.astype(np.float32))
        np.save(draft.folder / "popularity.npy", np.zeros(num_pins, np.float32))
    return key


def promote(home: Path, run: Run, version: int) -> None:
    """Record what the stage promote would, for a run whose model became champion."""
    facts = {"model_name": MODEL, "model_version": version, "is_champion": True}
    run.record(StageResult("promote", "x", 0.0, False, facts))
    decisions = Decisions(open_store(home).bucket(DECISIONS))
    decisions.record(Decision("promoted", MODEL, version, None, "Promoted."), decisions.history(MODEL))


def measures(home: Path, run: Run) -> dict[str, Measure]:
    """The published measures by name."""
    folder = open_store(home).artifacts.folder("compare_days", run.result("compare_days").key)
    return {each.name: each for each in read_measures(folder)}


def unusual(home: Path, run: Run) -> dict[str, str]:
    """The verdicts that are neither steady nor missing."""
    found = measures(home, run).items()
    return {name: each.verdict for name, each in found if each.verdict not in ("steady", "not compared")}


def facts(run: Run) -> dict:
    return run.result("compare_days").facts


def break_pictures(pins: pa.Table) -> pa.Table:
    """All pictures but one cut short."""
    pictures = [
        picture and (picture if row == 1 else picture[:50]) for row, picture in enumerate(pins["image"].to_pylist())
    ]
    return pins.set_column(pins.column_names.index("image"), "image", pa.array(pictures, pa.binary()))


def test_the_first_run_has_nothing_to_compare_with(home, data):
    """And says so in a sentence."""
    first = facts(day(home, data, "first"))
    assert (first["verdict"], first["warnings"], first["stops"]) == ("not compared", 0, 0)
    assert first["without_before"] == "There is no run before to compare with."
    assert first["without_champion"] == "There is no champion's run to compare with."


def test_a_day_with_a_few_saves_less_is_steady(store, data, tmp_path):
    """In a folder and on S3; the history goes on."""
    day(store.home, data, "first")
    fewer = edit(data, tmp_path / "fewer", "saves", lambda saves: saves.slice(4))
    second = day(store.home, fewer, "second")
    assert (facts(second)["verdict"], facts(second)["without_before"]) == ("steady", "")
    found = measures(store.home, second)
    assert found["saves"].change == pytest.approx(-4 / 168)
    assert (found["churn"].change, found["embeddings"].change) == (0, pytest.approx(0, abs=1e-6))
    folder = store.artifacts.folder("compare_days", second.result("compare_days").key)
    history = pq.read_table(folder / HISTORY).to_pylist()
    assert [row["value"] for row in history if row["name"] == "saves"] == [168, 164]


def test_the_same_again_makes_nothing_again(home, data, tmp_path):
    """A run over unchanged data is compared with what the first one was, not with itself."""
    first = day(home, data, "first")
    assert day(home, data, "again").result("compare_days").key == first.result("compare_days").key
    fewer = edit(data, tmp_path / "fewer", "saves", lambda saves: saves.slice(4))
    second, third = day(home, fewer, "second"), day(home, fewer, "third")
    assert (third.result("compare_days").key, third.result("compare_days").reused) == (
        second.result("compare_days").key, True,
    )  # fmt: skip


def test_broken_pictures_stop_and_are_named(home, data, tmp_path):
    """Through coverage and the rows refused; words, saves and degrees are steady."""
    day(home, data, "first")
    broken = day(home, edit(data, tmp_path / "broken", "pins", break_pictures), "broken")
    found = unusual(home, broken)
    assert found.pop("pictures") == "stop"
    assert found
    assert all(name.startswith(("quarantine/decoding/", "looks")) for name in found)
    assert "Pins with a readable picture 2.50%" in facts(broken)["unusual"]


def test_the_day_after_an_error_is_steady(home, data, tmp_path):
    """It is unlike the day of the error, and like the champion's."""
    promote(home, day(home, data, "first"), 1)
    day(home, edit(data, tmp_path / "broken", "pins", break_pictures), "broken")
    after = day(home, edit(data, tmp_path / "fewer", "saves", lambda saves: saves.slice(4)), "after")
    found = measures(home, after)["pictures"]
    assert found.change > 0.5
    assert found.champion_change == 0
    assert unusual(home, after) == {}


def test_pins_that_vanish_are_found_and_told_once(home, data, tmp_path):
    """The next day is like the run before, whatever the champion was trained on."""
    promote(home, day(home, data, "first"), 1)
    gone = edit(data, tmp_path / "gone", "pins", lambda pins: pins.slice(4))
    assert unusual(home, day(home, gone, "gone"))["pins"] == "warning"
    later = day(home, edit(gone, tmp_path / "later", "saves", lambda saves: saves.slice(4)), "later")
    assert measures(home, later)["pins"].champion_change == pytest.approx(-0.1)
    assert unusual(home, later) == {}


def test_new_words_are_found(home, data, tmp_path):
    """Words that the run before did not know, and another use of those that it did."""
    day(home, data, "first")
    words = pa.array([["unheard", "words"]] * 40, pa.list_(pa.string()))
    pins = edit(data, tmp_path / "words", "pins", lambda pins: pins.set_column(2, "annotations", words))
    found = unusual(home, day(home, pins, "second"))
    assert found == {"vocabulary": "warning", "word_use": "warning"}


def test_other_embeddings_are_found(home, data):
    """Half of the pins have moved: the data is steady, the model is not."""
    day(home, data, "first")
    second = day(home, data, "second", seed=5, **{"drift.warn_churn": 0.2, "drift.warn_embeddings": 0.05})
    assert unusual(home, second) == {"embeddings": "warning", "churn": "warning"}


def test_an_earlier_run_that_was_pruned_is_no_error(store, data, tmp_path):
    """In a folder and on S3: the run says that its artifacts are gone."""
    first = day(store.home, data, "first")
    store.artifacts.remove("compare_days", first.result("compare_days").key, is_wanted=lambda: False)
    fewer = edit(data, tmp_path / "fewer", "saves", lambda saves: saves.slice(4))
    second = facts(day(store.home, fewer, "second"))
    assert second["verdict"] == "not compared"
    assert second["without_before"] == "Not compared with the run before, since its artifacts are gone or damaged."


def test_an_earlier_model_that_is_gone_leaves_the_data_to_compare(home, data, tmp_path):
    """Counts and distributions come from the profile."""
    first = day(home, data, "first")
    open_store(home).artifacts.remove("embed", first.result("embed").key, is_wanted=lambda: False)
    fewer = edit(data, tmp_path / "fewer", "saves", lambda saves: saves.slice(4))
    found = measures(home, day(home, fewer, "second"))
    assert (found["churn"].verdict, found["embeddings"].verdict) == ("not compared", "not compared")
    assert found["saves"].verdict == found["degrees"].verdict == "steady"


def test_runs_of_comparisons_and_of_other_data_sets_are_passed_over(home, data):
    """Nobody wants a day compared with a variant of the settings."""
    store = open_store(home)
    first = day(home, data, "first")
    day(home, data, "elsewhere", seed=1, **{"tracking.model_name": "another"})
    settings = first.settings
    variant = store.runs.open_or_start("variant", settings, {"variant": "a", "seed": "0"})
    for result in first.results().values():
        variant.record(StageResult(result.stage, f"{result.key}v", 0.0, False, result.facts))
    later = day(home, data, "later", seed=2)
    assert former_runs(later, store)["before"] == first.result("compare_days").key
