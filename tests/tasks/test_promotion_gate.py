"""The gate with real models: the champion scored again on the data of today, each check refusing, an override."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from evaluation_world import NUM_PINS, World, write_dataset
from mlflow import MlflowClient

from pinsage.promotion.decisions import Decision
from pinsage.promotion.figures import Figures
from pinsage.settings.loading import flat, load_settings
from pinsage.store.deployment import open_store
from pinsage.store.manifest import Manifest
from pinsage.store.run import Run
from pinsage.tracking.registry import Version
from pinsage.tracking.server import Server
from tasks.promoting.evidence import Evidence
from tasks.promoting.record import open_decisions
from tasks.promoting.rescoring import embed_again
from tasks.running.runner import run_stage
from tasks.running.work import StageWork

MODEL = {"tracking.model_name": "pinsage-gate"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A data folder in which a first model is champion and released; runs of a second one, and of it on fewer saves."""
    folder = tmp_path_factory.mktemp("gate")
    data, home = write_dataset(folder / "data"), folder / "home"
    fewer = shutil.copytree(data, folder / "fewer")
    saves = pq.read_table(fewer / "saves.parquet")
    pq.write_table(saves.slice(len(saves) // 2), fewer / "saves.parquet")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        first = complete(World(home, data, run_id="first", **MODEL))
        for stage in ("promote", "approve", "release"):
            run_stage(stage, first, home)
        complete(World(home, data, run_id="second", **MODEL, **{"train.seed": 1, "train.steps": 14}))
        complete(World(home, fewer, run_id="fewer", **MODEL, **{"train.seed": 1}))
    return folder


def complete(world: World) -> Run:
    """The run, with every stage before promote ended."""
    for stage in ("index", "evaluate", "compare_days", "report"):
        world.publish(stage)
    return world.run


@pytest.fixture
def home(made, tmp_path, monkeypatch) -> Path:
    """A copy of the data folder, its MLflow included."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return shutil.copytree(made / "home", tmp_path / "home")


def promote(home: Path, run_id: str = "second", **limits) -> Decision:
    """The decision on the model of a run, under limits of its own."""
    store = open_store(home)
    run = store.runs.open(run_id)
    if limits:
        again = store.runs.open_or_start(f"{run_id}-again", load_settings(overrides={**flat(run.settings), **limits}))
        for result in run.results().values():
            again.record(result)
        run = again
    run_stage("promote", run, home)
    return open_decisions(home).history("pinsage-gate")[-1]


def check(decision: Decision, name: str):
    """One check of a decision."""
    return next(check for check in decision.checks if check.name == name)


def client(home: Path) -> MlflowClient:
    """The client of the data folder's MLflow."""
    return Server(load_settings().tracking, home).client


def champion(home: Path) -> int:
    """The number of the version that MLflow calls champion."""
    return int(client(home).get_registered_model("pinsage-gate").aliases["champion"])


def test_a_challenger_that_loses_nothing_is_promoted(home):
    """All checks were made, with values, on the champion scored again; MLflow has them as tags."""
    decision = promote(home)
    assert (decision.kind, decision.version, decision.champion, decision.by) == ("promoted", 2, 1, "run second")
    names = [
        "finite",
        "spread",
        "index_recall",
        "validation",
        "cold_start",
        "churn",
        "pins",
        "saves",
        "pictures",
        "words",
    ]
    assert [check.name for check in decision.checks] == names
    assert all(check(decision, name).value is not None for name in names if name != "cold_start")
    assert "champion 1, scored again on the pins and saves of today" in decision.reason
    assert champion(home) == 2
    tags = client(home).get_model_version("pinsage-gate", "2").tags
    assert tags["pinsage.check.churn"].startswith("passed: ")


def test_on_the_same_data_the_champion_is_what_it_was(home):
    """Nothing is made again: its own embeddings are asked."""
    first, second = (open_store(home).runs.open(run_id) for run_id in ("first", "second"))
    own = open_store(home).artifacts.folder("embed", first.result("embed").key)
    assert embed_again(first, second, home) == own


def test_the_champion_embeds_the_pins_of_today(home):
    """With fewer saves, its network gives other embeddings than on its own data, and its words are its own."""
    first, today = (open_store(home).runs.open(run_id) for run_id in ("first", "fewer"))
    own = open_store(home).artifacts.folder("embed", first.result("embed").key)
    again = np.load(embed_again(first, today, home) / "embeddings.npy")
    assert again.shape == (NUM_PINS, 8)
    assert not np.allclose(again, np.load(own / "embeddings.npy"))
    assert sorted(open_store(home).runs.ids()) == ["fewer", "first", "second"]  # it leaves no run behind


@pytest.mark.parametrize(
    ("name", "limits"),
    [
        ("validation", {"promote.min_gain": 0.9}),
        ("churn", {"promote.max_churn": 0.0}),
        ("spread", {"promote.min_spread": 1.0}),
        ("canaries", {"promote.canaries": "/no/such/file.csv"}),
    ],
)
def test_each_check_refuses_alone(home, name, limits):
    """The alias stays, and the reason is its sentence."""
    before = champion(home)
    decision = promote(home, **limits)
    assert decision.kind == "refused"
    assert [each.name for each in decision.checks if not each.passed] == [name]
    assert f"1 of {len(decision.checks)} checks failed. {name}: {check(decision, name).sentence}" in decision.reason
    assert champion(home) == before == 1


def test_an_index_that_misses_too_much_is_refused(home):
    """As with trees and nodes that somebody set by hand."""
    store = open_store(home)
    folder = store.artifacts.folder("index", store.runs.open("second").result("index").key)
    manifest = Manifest.read(folder)
    worse = replace(manifest, facts={**manifest.facts, "recall_at_10": 0.5})
    (folder / "manifest.json").write_text(worse.to_json())
    decision = promote(home)
    assert [each.name for each in decision.checks if not each.passed] == ["index_recall"]
    assert champion(home) == 1


def test_a_shrunken_export_is_refused(home):
    """Half of the saves are gone; the champion was scored on the other half, so that its figure is a fair one."""
    decision = promote(home, "fewer")
    assert decision.kind == "refused"
    assert not check(decision, "saves").passed
    assert check(decision, "pins").passed


def test_canaries_are_asked_of_the_challenger(home, tmp_path):
    """A pin of the forest goes with its own kind and not with the sea."""
    answers = tmp_path / "canaries.parquet"
    rows = [{"pin_id": "pin-00", "neighbor_pin_id": f"pin-{pin:02d}", "within": 39} for pin in (2, 4)]
    pq.write_table(pa.Table.from_pylist([*rows, {**rows[0], "neighbor_pin_id": "nobody"}]), answers)
    decision = promote(home, **{"promote.canaries": str(answers)})
    assert decision.kind == "refused"
    sentence = "2 of 3 canaries hold, where all must. The catalog has no pin 'nobody'."
    assert check(decision, "canaries").sentence == sentence
    pq.write_table(pa.Table.from_pylist(rows), answers)
    assert check(promote(home, **{"promote.canaries": str(answers)}), "canaries").passed


def test_embeddings_that_are_not_finite_are_refused(home):
    """Though no stage should let them come so far; nothing else is measured on them."""
    store = open_store(home)
    run = store.runs.open("second")
    inputs = {name: store.artifacts.folder(name, result.key) for name, result in run.results().items()}
    vectors = np.load(inputs["embed"] / "embeddings.npy")
    vectors[3] = np.nan
    np.save(inputs["embed"] / "embeddings.npy", vectors)
    work = StageWork(run.settings, inputs, home / "out", home / "scratch", home, "second")
    checks = Evidence(work, "pinsage-gate", Figures("", {"hit_rate_at_10": 0.5})).checks(Version(1, {}))
    assert {each.name for each in checks if not each.passed} == {"finite", "spread"}


def test_an_override_is_recorded_with_its_reason(home):
    """The model goes live against a check, and who looks finds out why."""
    decision = promote(
        home, **{"promote.max_churn": 0.0, "promote.override_reason": "The old one shows sold-out pins."}
    )
    assert (decision.kind, champion(home)) == ("override", 2)
    assert "because: The old one shows sold-out pins. 1 of 10 checks failed. churn:" in decision.reason
