"""`pinsage store prune`: what it removes, what it leaves, and what it says."""

from datetime import UTC, datetime, timedelta

import pytest
from release_world import ReleaseWorld
from typer.testing import CliRunner

from pinsage.settings.loading import load_settings
from pinsage.store.manifest import Manifest
from pinsage.store.run import MODEL_RUN, StageResult
from pinsage.tracking.registry import CHAMPION, KEY_TAG
from pinsage.tracking.server import Server
from pinsage.tracking.tracker import RUN_TAG
from tasks.command_line import retention
from tasks.command_line.cli import app
from tasks.command_line.retention import needs_of_others

EVERYTHING = ("--keep-days", "0", "--keep-runs", "0", "--grace-hours", "1")


class Later(datetime):
    """The clock of a day on which all that a test makes is old."""

    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) + timedelta(days=100)


@pytest.fixture
def later(monkeypatch):
    """The command runs a hundred days from now."""
    monkeypatch.setattr(retention, "datetime", Later)


def prune(store, *arguments):
    return CliRunner().invoke(app, ["store", "prune", *arguments, "--home", str(store.home)])


def make(store, run_id: str, **results: str) -> None:
    """A run with the artifacts `results`: a key by stage."""
    run = store.runs.open_or_start(run_id, load_settings())
    for stage, key in results.items():
        with store.artifacts.publish(Manifest(stage, key, 1, {}, {}, {}, "0")) as draft:
            (draft.folder / "a.txt").write_text(key)
        run.record(StageResult(stage, key, 1.0, reused=False))


def test_a_dry_run_lists_what_would_go_and_why(store, later):
    """And removes nothing."""
    make(store, "r1", walk="k1")
    answer = prune(store, "--dry-run", *EVERYTHING)
    assert answer.exit_code == 0, answer.output
    assert "would remove run r1: begun 100.0 days ago; kept are 0 days and the newest 0" in answer.stdout
    assert (
        "would remove artifact walk/k1: 100.0 days old; no run, release or model that stays needs it" in answer.stdout
    )
    assert "2 would go" in answer.stdout
    assert store.artifacts.has("walk", "k1")


def test_the_defaults_keep_a_young_store_as_it_is(store):
    """Nothing of the last month goes."""
    make(store, "r1", walk="k1")
    assert "0 removed" in prune(store).stdout
    assert store.artifacts.has("walk", "k1")


def test_the_environment_sets_what_stays(store, later, monkeypatch):
    """So that a deployment says it once."""
    for name, value in (("KEEP_DAYS", "0"), ("KEEP_RUNS", "0"), ("GRACE_HOURS", "1")):
        monkeypatch.setenv(f"PINSAGE_{name}", value)
    make(store, "r1", walk="k1")
    assert "2 removed" in prune(store).stdout
    assert (store.runs.ids(), store.artifacts.has("walk", "k1")) == ([], False)


def test_what_a_model_with_an_alias_was_made_of_stays(tmp_path, later):
    """Of every data set's champion, and its run; a version without an alias needs nothing of the store."""
    from pinsage.store.deployment import open_store

    store = open_store(tmp_path)
    for number in (1, 2):
        make(store, f"r{number}", index=f"k{number}", promote=f"p{number}")
    server = Server(load_settings().tracking, tmp_path)
    for name, numbers in (("pinsage-other-0000", (1, 2)), ("another-team", ())):
        server.client.create_registered_model(name)
        for number in numbers:
            tags = {KEY_TAG: f"k{number}", RUN_TAG: f"r{number}"}
            server.client.create_model_version(name, f"{tmp_path}/model", tags=tags)
    server.client.set_registered_model_alias("pinsage-other-0000", CHAMPION, "1")
    assert ("index", "k1") in needs_of_others(store).refs
    assert prune(store, *EVERYTHING).exit_code == 0
    assert [store.artifacts.has("index", f"k{number}") for number in (1, 2)] == [True, False]
    assert store.runs.ids() == ["r1"]


def test_the_runs_behind_a_release_stay(tmp_path, later):
    """A refresh begins with the run that trained the model of the release that serves, however old it is."""
    store = ReleaseWorld(tmp_path).store
    make(store, "trained", train="k1")
    make(store, "idle", train="k2")
    store.runs.open_or_start("run-1", load_settings(), {MODEL_RUN: "trained"})
    ReleaseWorld(tmp_path).release(1)
    assert needs_of_others(store).runs == {"run-1", "trained"}
    assert prune(store, *EVERYTHING).exit_code == 0
    assert set(store.runs.ids()) == {"run-1", "trained"}
    assert (store.artifacts.has("train", "k1"), store.artifacts.has("train", "k2")) == (True, False)


def test_runs_stay_where_their_registry_does_not_answer(store, later, monkeypatch):
    """Nobody can say what is champion there."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    make(store, "r1", index="k1", promote="p1")
    answer = prune(store, *EVERYTHING)
    assert "Its 1 runs stay" in answer.output
    assert store.artifacts.has("index", "k1")


def test_the_clock_of_these_tests_is_a_hundred_days_ahead():
    """Else they would pass for the wrong reason."""
    assert Later.now(UTC) - datetime.now(UTC) > timedelta(days=99)
