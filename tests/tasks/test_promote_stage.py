"""Promotion acts on a real MLflow database: versions, aliases, and one complete run, however often it is repeated."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mlflow import MlflowClient, pyfunc
from new_pin_world import write_network, write_words

from pinsage.drift.measures import Measure, assess
from pinsage.drift.table import write_measures
from pinsage.errors import InputError
from pinsage.index.build import IndexPlan
from pinsage.index.pin_index import PinIndex
from pinsage.promotion.checks import Check
from pinsage.promotion.decisions import Decision
from pinsage.settings.live import DriftSettings
from pinsage.settings.loading import load_settings
from pinsage.store.deployment import open_store
from pinsage.store.manifest import Manifest
from pinsage.store.run import Run, StageResult
from pinsage.tracking.days import DAYS_TAG
from pinsage.tracking.names import deciding_metric
from pinsage.tracking.registry import Registry
from pinsage.tracking.tracker import open_tracker
from tasks.promoting.drift import tell_decay
from tasks.promoting.record import open_decisions
from tasks.running.runner import run_stage

PIN_IDS = ["a", "b", "c"]
FACTS = {"pins": 3, "note": "text", "recall_at_10": 0.5, "is_small": True}


@pytest.fixture(scope="module")
def module_home(tmp_path_factory) -> Path:
    """A data folder with one MLflow database for all tests; each test has a model and an experiment of its own."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def world(module_home, monkeypatch, request):
    """Publishes what promote reads, for a model of a given quality."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return World(module_home, request.node.name.split("[")[0])


class World:
    """A pipeline whose stages before promote have ended."""

    def __init__(self, home: Path, name: str) -> None:
        self.home, self.name = home, name
        self.measures: list[Measure] = []

    def run(self, run_id: str, hit_rate: float, *, data: str = "day1", model: str = "", min_gain: float = 0.0) -> Run:
        overrides = {
            "tracking.experiment": self.name, "tracking.model_name": self.name, "promote.min_gain": min_gain,
            "data.dataset": "/data/demo",
        }  # fmt: skip
        run = open_store(self.home).runs.open_or_start(f"{self.name}-{run_id}", load_settings(overrides=overrides))
        keys = {"ingest": data, "embed": model or run_id, "index": model or run_id, "train": model or run_id}
        stages = (
            "ingest", "pair", "connect", "featurize_text", "train", "embed", "index", "evaluate", "compare_days",
            "report",
        )  # fmt: skip
        for stage in stages:
            self.publish(run, stage, keys.get(stage, run_id), hit_rate)
        return run

    def key(self, name: str) -> str:
        """As long as a real key, and different in every test."""
        return hashlib.sha256(f"{self.name} {name}".encode()).hexdigest()[:20]

    def publish(self, run: Run, stage: str, key: str, hit_rate: float) -> None:
        store, key = open_store(self.home).artifacts, self.key(key)
        with store.publish(Manifest(stage, key, 1, {}, {}, {}, "test")) as draft:
            getattr(self, f"write_{stage}")(draft.folder, hit_rate)
        run.record(StageResult(stage, key, 1.5, stage == "ingest", FACTS))

    def write_ingest(self, folder: Path, hit_rate: float) -> None:
        columns = {"pin_id": PIN_IDS, "title": ["A", None, "C"], "description": [None] * 3, "link": [None] * 3}
        pins = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
        words = pa.array([["x"], ["y", "z"], []], pa.list_(pa.string()))
        pq.write_table(pins.append_column("annotations", words), folder / "pins.parquet")
        for name in ("boards", "saves", "pictures"):
            pq.write_table(pa.table({"pin": pa.array([], pa.int32())}), folder / f"{name}.parquet")

    def write_compare_days(self, folder: Path, hit_rate: float) -> None:
        write_measures(folder, self.measures)

    def write_train(self, folder: Path, hit_rate: float) -> None:
        write_network(folder, 3)
        pq.write_table(pa.table({"step": [10, 20], "loss": [0.5, 0.4]}), folder / "curve.parquet")
        pq.write_table(pa.table({"step": [20], "hit_rate_at_10": [hit_rate]}), folder / "validation.parquet")

    def write_embed(self, folder: Path, hit_rate: float) -> None:
        np.save(folder / "embeddings.npy", np.eye(3, dtype=np.float32))
        np.save(folder / "popularity.npy", np.zeros(3, np.float32))

    def write_pair(self, folder: Path, hit_rate: float) -> None:
        """Nothing: these models are not scored again, since no code makes their features."""

    write_connect = write_pair

    def write_featurize_text(self, folder: Path, hit_rate: float) -> None:
        write_words(folder)

    def write_index(self, folder: Path, hit_rate: float) -> None:
        PinIndex.build(np.eye(3, dtype=np.float32), np.zeros(3, np.float32), folder, IndexPlan(num_trees=2))
        pq.write_table(pa.table({"search_k": [10], "recall_at_10": [1.0]}), folder / "recall.parquet")

    def write_evaluate(self, folder: Path, hit_rate: float) -> None:
        rows = [
            {"method": method, "split": split, "view": view, "metric": "hit_rate@10", "value": share * value}
            for method, value in (("pinsage", hit_rate), ("combined", 0.1))
            for split in ("validation", "test")
            for view, share in (("all", 1), ("new", 0.5))
        ]
        pq.write_table(pa.Table.from_pylist(rows), folder / "metrics.parquet")

    def write_report(self, folder: Path, hit_rate: float) -> None:
        (folder / "report.html").write_text("<p>report</p>")
        (folder / "explorer.html").write_text("<p>explorer</p>")

    def client(self) -> MlflowClient:
        return open_tracker(load_settings(), self.home, "any").server.client

    def versions(self) -> list:
        return self.client().search_model_versions(f"name = '{self.name}'")

    def promote(self, run: Run) -> dict:
        return run_stage("promote", run, self.home).facts


def points(client: MlflowClient, run_id: str) -> dict[str, list[int]]:
    """The steps of every metric of an MLflow run."""
    names = client.get_run(run_id).data.metrics
    return {name: [point.step for point in client.get_metric_history(run_id, name)] for name in names}


def test_the_first_model_becomes_challenger_and_champion(world):
    """One version with both aliases, the keys it was made from, and the reason."""
    facts = world.promote(world.run("r1", 0.3))
    [version] = world.versions()
    found = world.client().get_model_version(world.name, version.version)
    assert (facts["model_version"], facts["is_champion"], facts["champion_version"]) == (1, True, 1)
    assert sorted(found.aliases) == ["challenger", "champion"]
    assert found.tags["pinsage.train_key"] == world.key("r1")
    assert found.tags["pinsage.validation.hit_rate_at_10"] == "0.3"
    assert "no champion" in found.tags["pinsage.decision"]
    assert found.tags["pinsage.decision_kind"] == "promoted"
    assert found.tags["pinsage.check.spread"].startswith("passed: Embeddings spread by 1.0")


def test_promoting_twice_adds_nothing(world):
    """No second run, no second version, no second point of a curve; the same answer."""
    run = world.run("r1", 0.3)
    first = world.promote(run)
    before = points(world.client(), first["mlflow_run_id"])
    second = world.promote(run)
    assert {**second, "reason": ""} == {**first, "reason": ""}
    assert [decision.kind for decision in open_decisions(world.home).history(world.name)] == ["promoted"]
    assert points(world.client(), first["mlflow_run_id"]) == before
    assert len(world.versions()) == 1
    experiment = world.client().get_experiment_by_name(world.name).experiment_id
    assert len(world.client().search_runs([experiment])) == 1


def test_a_run_over_the_same_model_adds_a_run_but_no_version(world):
    """A second pipeline run that reused every artifact is comparable in MLflow, and complete with its curve."""
    world.promote(world.run("r1", 0.3, model="same"))
    again = world.promote(world.run("r2", 0.3, model="same"))
    assert (again["model_version"], len(world.versions())) == (1, 1)
    assert points(world.client(), again["mlflow_run_id"])["curves/loss"] == [10, 20]


@pytest.mark.parametrize(("second", "champion"), [(0.4, 2), (0.2, 1)])
def test_the_alias_follows_the_better_model(world, second, champion):
    """A gain moves the champion, a loss leaves it; the newest version is the challenger in both cases."""
    world.name += str(champion)
    world.promote(world.run("r1", 0.3))
    facts = world.promote(world.run("r2", second))
    aliases = world.client().get_registered_model(world.name).aliases
    assert {name: int(number) for name, number in aliases.items()} == {"challenger": 2, "champion": champion}
    assert (facts["is_champion"], facts["champion_version"]) == (champion == 2, champion)
    assert f"{second:.4f} against 0.3000" in facts["reason"]


def test_a_champion_that_cannot_be_scored_again_is_compared_by_its_record(world):
    """One sentence says why, in the decision and not as an error; the artifacts of this world are nobody's making."""
    world.promote(world.run("r1", 0.3))
    facts = world.promote(world.run("r2", 0.4, data="day2"))
    assert facts["is_champion"]
    assert "0.4000 against 0.3000 that the champion had when it was trained" in facts["reason"]
    assert "Champion 1 was not scored on the data of today, because: The model of run" in facts["reason"]


def test_a_pruned_champion_is_a_sentence(world):
    """Neither its run nor its artifacts are there; every check that needs them says so and the others decide."""
    world.promote(world.run("r1", 0.3))
    open_store(world.home).bucket("runs").remove(f"{world.name}-r1")
    facts = world.promote(world.run("r2", 0.2))
    assert not facts["is_champion"]
    assert f"because: There is no run '{world.name}-r1'" in facts["reason"]
    checks = {check.name: check for check in open_decisions(world.home).history(world.name)[-1].checks}
    assert (checks["validation"].passed, checks["churn"].passed) == (False, True)
    assert f"Not compared: There is no run '{world.name}-r1'" in checks["churn"].sentence


def test_the_mlflow_run_ends_complete(world):
    """One metric of every method, all of PinSage, timings, facts, curves, the report and the tables; then FINISHED."""
    facts = world.promote(world.run("r1", 0.3))
    logged = world.client().get_run(facts["mlflow_run_id"])
    assert logged.info.status == "FINISHED"
    assert logged.data.metrics["hit_rate_at_10/test/pinsage"] == 0.3
    assert logged.data.metrics["hit_rate_at_10/validation/combined"] == 0.1
    assert logged.data.metrics["hit_rate_at_10/test_new/pinsage"] == 0.15
    assert logged.data.metrics["pinsage/test_new/hit_rate_at_10"] == 0.15
    assert logged.data.metrics["seconds/index"] == 1.5
    assert logged.data.metrics["stages/index_recall_at_10"] == 0.5
    assert logged.data.metrics["curves/loss"] == 0.4
    assert logged.data.metrics["curves/validation_hit_rate_at_10"] == 0.3
    assert (logged.data.params["index/is_small"], logged.data.params["index/note"]) == ("true", "text")
    assert "index/recall_at_10" not in logged.data.params
    assert logged.data.tags["pinsage.reused_stages"] == "ingest"
    assert [item.dataset.digest for item in logged.inputs.dataset_inputs] == [world.key("day1")]
    names = {item.path for item in world.client().list_artifacts(facts["mlflow_run_id"])}
    assert names == {"report.html", "explorer.html", "recall.csv", "metrics.csv", "stages.json"}
    assert facts["mlflow_url"] == ""


def test_a_page_begins_with_curves_and_hit_rates(world):
    """MLflow sorts charts by the part of their name before the last slash."""
    facts = world.promote(world.run("r1", 0.3))
    sections = sorted({name.rpartition("/")[0] for name in world.client().get_run(facts["mlflow_run_id"]).data.metrics})
    assert sections[:2] == ["curves", "hit_rate_at_10/test"]
    assert sections[-2:] == ["seconds", "stages"]


def test_the_description_ranks_the_methods(world):
    """The decision, then a table from the best method down; what somebody wrote in its place stays."""
    run = world.run("r1", 0.3)
    run_id = world.promote(run)["mlflow_run_id"]
    text = world.client().get_run(run_id).data.tags["mlflow.note.content"]
    assert "no champion" in text
    assert text.index("| **pinsage** | 0.3000 | 0.1500 |") < text.index("| combined | 0.1000 | 0.0500 |")
    world.client().set_tag(run_id, "mlflow.note.content", "the good one")
    world.promote(run)
    assert world.client().get_run(run_id).data.tags["mlflow.note.content"] == "the good one"


def test_the_registered_model_answers(world, tmp_path, monkeypatch):
    """What the version points at can be loaded without unpickling and gives related pins with titles for people."""
    monkeypatch.chdir(tmp_path)
    world.promote(world.run("r1", 0.3))
    [version] = world.versions()
    [answer] = pyfunc.load_model(version.source).predict(pd.DataFrame({"pin_id": ["a"]}))
    assert {(one["pin_id"], one["title"]) for one in answer["related"]} == {("b", "y, z"), ("c", "C")}
    assert list(tmp_path.iterdir()) == []  # no MLflow database in the current folder


def test_facts_are_small_and_flat(world):
    """They travel through XCom."""
    facts = world.promote(world.run("r1", 0.3))
    assert all(isinstance(value, str | int | float | bool | None) for value in facts.values())
    assert len(json.dumps(facts)) < 2000


@pytest.mark.parametrize(("ranks", "metric"), [([10, 50], "hit_rate_at_10"), ([50, 5], "hit_rate_at_5")])
def test_the_deciding_metric_is_one_that_was_measured(ranks, metric):
    """The hit rate at 10, or at the first rank where nobody asked for 10."""
    assert deciding_metric(ranks) == metric


def drifted(change: float) -> list[Measure]:
    """The measures of a day on which saves changed since the run before, which was the champion's."""
    return assess({"saves": 90.0}, {"saves": change}, {"saves": change}, DriftSettings())


def days_of(world: World):
    """The MLflow run with the curves over days."""
    experiment = world.client().get_experiment_by_name(f"{world.name} over days").experiment_id
    (found,) = world.client().search_runs([experiment], f"tags.`{DAYS_TAG}` = '{world.name}'")
    return found


def test_drift_becomes_metrics_a_tag_and_a_point_of_a_curve(world):
    """A warning lets the run go on; told again it adds nothing."""
    world.measures = drifted(-0.1)
    run = world.run("one", 0.2)
    for _ in range(2):
        run_stage("promote", run, world.home)
    page = world.client().get_run(run.result("promote").facts["mlflow_run_id"])
    expected = {"drift/saves": -0.1, "drift/champion/saves": -0.1, "drift/today/saves": 90.0}
    assert {name: value for name, value in page.data.metrics.items() if name.startswith("drift/")} == expected
    assert page.data.tags["pinsage.drift"].startswith("warning. saves: Saves 90: -10 % since the run before")
    days = days_of(world)
    assert {name: days.data.metrics[name] for name in expected} == expected
    assert len(world.client().get_metric_history(days.info.run_id, "drift/saves")) == 1


def test_drift_beyond_a_limit_that_stops_registers_nothing(world):
    """The error says which measure, what may be and what to do; the values are in MLflow all the same."""
    world.measures = drifted(-0.7)
    run = world.run("one", 0.2)
    with pytest.raises(InputError, match=r"Drift stops the run .*saves: Saves 90: -70 % .*\(drift.stop_fall\)"):
        run_stage("promote", run, world.home)
    assert days_of(world).data.metrics["drift/saves"] == -0.7
    assert world.client().search_registered_models(f"name = '{world.name}'") == []


@pytest.mark.parametrize(("now", "told"), [(0.39, False), (0.2, True)])
def test_a_champion_that_has_lost_much_of_its_hit_rate_is_told(world, now, told):
    """Its figure on the pairs of today, which the gate measured, beside that of its training."""
    run = world.run(f"told-{told}", 0.4)
    run_stage("promote", run, world.home)
    tracker = open_tracker(run.settings, world.home, run.run_id)
    check = Check("validation", True, "Fine.", 0.1, 0.0, now)
    decision = Decision("promoted", world.name, 2, 1, "Promoted.", checks=(check,))
    sentence = tell_decay(decision, Registry(tracker.server, world.name), run, tracker)
    assert bool(sentence) == told
    if told:
        assert "has a hit rate of 0.2000 on the pairs of today, against 0.4000" in sentence
    metrics = world.client().get_run(tracker.mlflow_run_id).data.metrics
    assert metrics["drift/champion_hit_rate"] == now
    assert metrics["drift/champion_decay"] == pytest.approx(1 - now / 0.4)
