"""A run remembers what was asked and what each stage answered: in a folder and on S3."""

import json
from dataclasses import asdict

import pytest

from pinsage.errors import ArtifactMissingError, RunRecordError
from pinsage.settings.loading import load_settings
from pinsage.store.deployment import open_store
from pinsage.store.run import StageResult
from pinsage.store.sealed import seal, unseal

RESULT = StageResult("walk", "abc", 1.5, False, {"hops_per_s": 3.0})


@pytest.fixture
def runs(store):
    """The records of a store of each kind."""
    return store.runs


def test_a_stage_result_is_read_back(runs):
    """What one task records, another process reads."""
    runs.open_or_start("r1", load_settings()).record(RESULT)
    assert runs.open("r1").result("walk") == RESULT
    assert runs.open("r1").results() == {"walk": RESULT}


def test_starting_a_run_again_opens_it(runs):
    """A retried task finds the run of its first attempt, with the results so far."""
    runs.open_or_start("r1", load_settings(), {"dag_id": "train_pinsage"}).record(RESULT)
    again = runs.open_or_start("r1", load_settings())
    assert again.origin == {"dag_id": "train_pinsage"}
    assert again.result("walk") == RESULT


def test_a_run_with_other_settings_is_refused_with_the_difference(runs):
    """Two sets of settings never share a run id."""
    runs.open_or_start("r1", load_settings())
    with pytest.raises(RunRecordError, match=r"walk\.num_walks: 500 -> 7"):
        runs.open_or_start("r1", load_settings(overrides={"walk.num_walks": 7}))


@pytest.mark.parametrize("run_id", ["", "../up", "a/b", ".hidden", "a b", "x" * 201])
def test_a_run_id_cannot_leave_its_folder(tmp_path, run_id):
    """Ids that are no plain names are refused."""
    with pytest.raises(RunRecordError, match="no run id"):
        open_store(tmp_path).runs.open_or_start(run_id, load_settings())


def test_run_ids_of_airflow_are_accepted(runs):
    """Airflow's ids carry colons and plus signs."""
    run = runs.open_or_start("manual__2026-11-24T01:43:21.1+00:00", load_settings())
    assert runs.open(run.run_id).run_id == run.run_id
    assert [found.run_id for found in runs.all()[0]] == [run.run_id]


def test_a_missing_result_or_run_is_named(runs):
    """The errors say which stage, and where the runs are listed."""
    run = runs.open_or_start("r1", load_settings())
    with pytest.raises(ArtifactMissingError, match="no result of 'walk'"):
        run.result("walk")
    with pytest.raises(RunRecordError, match="pinsage runs"):
        runs.open("r2")
    assert runs.has("r1")
    assert not runs.has("r2")


def test_runs_are_listed_newest_first(store):
    """The order is by the time of the start, not by name."""
    for run_id, second in (("b", 1), ("a", 2)):
        store.runs.open_or_start(run_id, load_settings())
        record = unsealed(store, run_id) | {"started_at": f"2026-01-01T00:00:0{second}+00:00"}
        store.bucket("runs").replace(f"{run_id}/run.json", json.dumps(seal(record)).encode())
    assert [run.run_id for run in store.runs.all()[0]] == ["a", "b"]


def test_a_record_with_settings_that_are_gone_opens(store):
    """A setting that a later version of the code does without must not take the earlier runs along."""
    body = {"settings": load_settings().model_dump(mode="json"), "origin": {}, "started_at": "2026-01-01T00:00:00"}
    body["settings"]["walk"]["num_walks"] = 7
    body["settings"]["walk"]["gone"] = 1
    body["settings"]["departed"] = {"a": 2}
    store.bucket("runs").create("old/run.json", json.dumps(body).encode())
    assert store.runs.open("old").settings == load_settings(overrides={"walk.num_walks": 7})


def test_a_record_of_an_earlier_version_opens_without_a_checksum(store):
    """Nobody has to make such runs again."""
    store.runs.open_or_start("r1", load_settings()).record(RESULT)
    store.bucket("runs").replace("r1/run.json", json.dumps(unsealed(store, "r1")).encode())
    store.bucket("runs").replace("r1/walk.json", json.dumps(asdict(RESULT)).encode())
    assert store.runs.open("r1").result("walk") == RESULT


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"settings": {}, "origin": {}, "started_at": "", "x": 1}'])
@pytest.mark.parametrize("name", ["run", "walk"])
def test_a_damaged_record_is_named(store, name, content):
    """Not a traceback, and what to do stands there."""
    store.runs.open_or_start("r1", load_settings()).record(RESULT)
    store.bucket("runs").replace(f"r1/{name}.json", content)
    with pytest.raises(RunRecordError, match=rf"/r1/{name}\.json is damaged \(.*Delete \S+/r1 and start a new run"):
        store.runs.open("r1").result("walk")


def test_damaged_runs_are_told_beside_the_others(store):
    """Those that this version of the code cannot read too."""
    for run_id in ("good", "damaged", "foreign"):
        store.runs.open_or_start(run_id, load_settings())
    record = store.bucket("runs").read("damaged/run.json")
    store.bucket("runs").replace("damaged/run.json", record.replace(b'"num_walks": 500', b'"num_walks": 501'))
    foreign = unsealed(store, "foreign") | {"settings": {"walk": {"num_walks": "many"}}}
    store.bucket("runs").replace("foreign/run.json", json.dumps(seal(foreign)).encode())
    runs, unreadable = store.runs.all()
    assert [run.run_id for run in runs] == ["good"]
    assert "does not match its own checksum" in str(unreadable["damaged"])
    assert "walk.num_walks = 'many'" in str(unreadable["foreign"])


def unsealed(store, run_id):
    """The body of a record, without its checksum."""
    return unseal(json.loads(store.bucket("runs").read(f"{run_id}/run.json")), ["settings", "origin", "started_at"])
