"""Removing from a store beside those who use it, in a folder and on S3."""

import shutil
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from pinsage.errors import ArtifactMissingError, RunRecordError
from pinsage.settings.schema import Settings
from pinsage.store.artifact import REMOVED
from pinsage.store.bucket import FolderBucket
from pinsage.store.deployment import Store
from pinsage.store.manifest import Manifest
from pinsage.store.pruning import plan, prune, take_inventory
from pinsage.store.remote import RemoteBucket
from pinsage.store.retention import Needs, Policy
from pinsage.store.run import StageResult
from pinsage.store.uses import USES, Use, mark_use, read_uses

SOON = datetime.now(UTC) + timedelta(days=100)  # all that a test makes is old then
NO_NEEDS = Needs()
NOTHING = Policy(keep_days=1, keep_runs=0, grace_hours=1)


def publish(store: Store, stage: str, key: str, **inputs: str) -> None:
    with store.artifacts.publish(Manifest(stage, key, 1, {}, inputs, {}, "0")) as draft:
        (draft.folder / "a.txt").write_text(key)
        (draft.folder / "b.txt").write_text("beside it")


def record(store: Store, run_id: str, **keys: str) -> None:
    run = store.runs.open_or_start(run_id, Settings())
    for stage, key in keys.items():
        mark_use(store.bucket(USES), stage, key, run_id)
        run.record(StageResult(stage, key, 1.0, reused=False))


def removed(store: Store, policy: Policy = NOTHING, needs: Needs = NO_NEEDS, now: datetime = SOON) -> list[str]:
    told: list[str] = []
    prune(store, policy, needs, now, lambda removal: told.append(f"{removal.kind} {removal.name}"))
    return told


def stored(store: Store) -> list[str]:
    return store.bucket("artifacts").names()


def test_an_old_run_goes_with_what_it_alone_needs(store):
    """The newer run, and the catalog that both read, stay and open; of the older nothing is left, marks included."""
    publish(store, "ingest", "i")
    publish(store, "connect", "old", ingest="i")
    publish(store, "connect", "new", ingest="i")
    record(store, "r1", ingest="i", connect="old")
    record(store, "r2", ingest="i", connect="new")
    older, newer = sorted(store.runs.all()[0], key=lambda run: (run.started_at, run.run_id))
    assert set(removed(store, needs=Needs(runs=frozenset({newer.run_id})))) == {
        f"run {older.run_id}",
        "artifact connect/old",
    }
    assert store.artifacts.open("ingest", "i").manifest.key == "i"
    assert store.artifacts.open("connect", "new").manifest.key == "new"
    assert store.runs.ids() == ["r2"]
    assert not any("/old/" in f"/{name}" for name in stored(store))
    assert {use.run_id for use in read_uses(store.bucket(USES))} == {"r2"}


def test_a_dry_run_removes_nothing(store):
    """It names what prune would remove."""
    publish(store, "walk", "k")
    record(store, "r", walk="k")
    before = stored(store)
    assert [removal.name for removal in plan(store, NOTHING, NO_NEEDS, SOON).removals] == ["r", "walk/k"]
    assert stored(store) == before
    assert store.runs.ids() == ["r"]


def test_nothing_goes_while_the_record_of_a_run_is_damaged(store):
    """Nobody knows what it uses."""
    publish(store, "walk", "k")
    record(store, "r", walk="k")
    damaged = store.bucket("runs").read("r/walk.json").replace(b'"k"', b'"j"')
    store.bucket("runs").replace("r/walk.json", damaged)
    with pytest.raises(RunRecordError, match=r"r/walk\.json is damaged"):
        removed(store)
    assert store.artifacts.has("walk", "k")


def test_what_was_made_a_moment_ago_stays_without_a_record(store):
    """Its run writes the record after it has published."""
    publish(store, "walk", "k")
    assert removed(store, now=datetime.now(UTC)) == []
    assert store.artifacts.has("walk", "k")


def test_an_artifact_that_a_stage_takes_while_it_goes_comes_back(store):
    """The stage marked it after the decision: the second look sees the mark."""
    publish(store, "walk", "k")
    answers = iter([False, True])
    assert not store.artifacts.remove("walk", "k", lambda: next(answers))
    assert store.artifacts.open("walk", "k").manifest.key == "k"
    assert not any(REMOVED in name for name in stored(store))


def test_a_mark_made_after_the_decision_keeps_the_artifact(store, monkeypatch):
    """A stage of another host begins to use it between the decision and the removal."""
    publish(store, "walk", "k")

    def decide_then_use(*words):
        decided = plan(*words)
        store.bucket(USES).create(Use("walk", "k", "another-run", SOON).name, b"")
        return decided

    monkeypatch.setattr("pinsage.store.pruning.plan", decide_then_use)
    assert removed(store) == []
    assert store.artifacts.has("walk", "k")


def test_an_old_run_that_is_resumed_after_the_decision_stays(store, monkeypatch):
    """Its next stage needs the results of the ones before."""
    record(store, "r", walk="k")

    def decide_then_resume(*words):
        decided = plan(*words)
        store.bucket(USES).create(Use("train", "k", "r", SOON).name, b"")
        return decided

    monkeypatch.setattr("pinsage.store.pruning.plan", decide_then_resume)
    assert removed(store) == []
    assert store.runs.open("r").result("walk").key == "k"


class KilledError(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("calls", range(6))
def test_a_kill_between_removals_leaves_no_artifact_half_visible(store, monkeypatch, calls):
    """Each artifact opens whole or is not there, the next call removes what is left, and its key can be made anew."""
    for key in ("k1", "k2"):
        publish(store, "walk", key)
    record(store, "r", walk="k1")
    with monkeypatch.context() as patch, suppress(KilledError):
        kill_at(patch, calls)
        removed(store)
    again = Store(store.home.with_name("another-host"), store.place)
    for key in ("k1", "k2"):
        if again.artifacts.has("walk", key):
            assert again.artifacts.open("walk", key).manifest.key == key
        else:
            with pytest.raises(ArtifactMissingError, match="Run the stage 'walk'"):
                again.artifacts.open("walk", key)
    removed(again)
    assert (stored(again), again.bucket("runs").names(), again.bucket(USES).names()) == ([], [], [])
    publish(again, "walk", "k1")
    assert again.artifacts.open("walk", "k1").manifest.key == "k1"


def kill_at(monkeypatch, calls: int) -> None:
    """Let the removal of a file or a folder after `calls` others never begin."""
    count = iter(range(1000))

    def counted(real):
        def call(*words, **named):
            if next(count) >= calls:
                raise KilledError
            return real(*words, **named)

        return call

    monkeypatch.setattr(FolderBucket, "remove", counted(FolderBucket.remove))
    monkeypatch.setattr(RemoteBucket, "remove", counted(RemoteBucket.remove))
    monkeypatch.setattr("pinsage.store.artifact.shutil.rmtree", counted(shutil.rmtree))


def test_uploads_that_no_manifest_names_go_and_those_of_the_artifact_stay(store_on_s3):
    """A killed attempt on a host that is gone for good left them."""
    publish(store_on_s3, "walk", "k")
    bucket = store_on_s3.bucket("artifacts")
    for name in ("walk/k/dead/a.txt", "walk/never/dead/a.txt"):
        bucket.create(name, b"half")
    assert removed(store_on_s3, needs=Needs(frozenset({("walk", "k")}))) == [
        "leftover walk/k/dead",
        "leftover walk/never/dead",
    ]
    assert store_on_s3.artifacts.open("walk", "k").manifest.key == "k"
    assert take_inventory(store_on_s3).leftovers == {}


def test_scratch_folders_of_dead_attempts_go(store):
    """Here and, where the store is remote, the checkpoints that it keeps of them."""
    scratch = store.scratch("train", "k")
    scratch.mkdir(parents=True)
    (scratch / "step.safetensors").write_text("weights")
    if store.is_remote:
        store.bucket("checkpoints").create("train/k/step.safetensors", b"weights")
    assert removed(store, now=datetime.now(UTC)) == []
    assert removed(store) == ["scratch train/k"]
    assert not scratch.exists()
    assert store.bucket("checkpoints").names() == []
