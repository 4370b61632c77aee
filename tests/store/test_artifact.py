"""Artifacts appear whole or not at all, once per key, and are refused when a byte changed: in a folder and on S3."""

import json
import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from pinsage.errors import ArtifactDamagedError, ArtifactMissingError, PinSageError
from pinsage.store.artifact import ArtifactStore
from pinsage.store.deployment import Store, open_store
from pinsage.store.drafts import STAGING
from pinsage.store.manifest import Manifest, artifact_key, named_attempt
from pinsage.store.remote import RemoteBucket

PROCESSES = multiprocessing.get_context("fork")


def recipe(key: str = "k1") -> Manifest:
    return Manifest("walk", key, 1, {"num_walks": 3}, {"connect": "abc"}, {}, "0.1.0")


def publish(artifacts: ArtifactStore, text: str, key: str = "k1") -> None:
    with artifacts.publish(recipe(key)) as draft:
        (draft.folder / "part").mkdir()
        (draft.folder / "part" / "a.txt").write_text(text)
        (draft.folder / "b.txt").write_text("beside it")
        draft.facts["rows"] = len(text)


def publish_elsewhere(home: Path, text: str) -> None:
    """Publish as a process of its own, on a host of its own where the store is remote."""
    publish(open_store(home).artifacts, text)


def drafts(store: Store) -> list[Path]:
    return [path for path in Path(store.home).rglob(f"{STAGING}*") if path.is_dir()]


def on_another_host(store: Store, name: str = "other") -> Store:
    """The same store, seen with nothing in the caches; the very same host where it is a folder."""
    return open_store(store.home.with_name(name)) if store.is_remote else store


def stored(store: Store) -> list[str]:
    """The names of the files that the store itself keeps of the stage `walk`."""
    return store.bucket("artifacts").names("walk")


def test_a_published_artifact_opens_with_its_files_and_facts(store):
    """What was written and said is what a later stage reads, on any host."""
    publish(store.artifacts, "hello")
    for seen in (store, on_another_host(store)):
        artifact = seen.artifacts.open("walk", "k1")
        assert (artifact.folder / "part" / "a.txt").read_text() == "hello"
        assert artifact.manifest.facts == {"rows": 5}
        assert [entry.path for entry in artifact.manifest.files] == ["b.txt", "part/a.txt"]
        assert Manifest.read(artifact.folder) == artifact.manifest


def test_a_draft_that_fails_leaves_nothing_behind(store):
    """An exception inside the block publishes nothing and removes the draft."""
    with pytest.raises(ValueError, match="boom"), store.artifacts.publish(recipe()) as draft:
        (draft.folder / "a.txt").write_text("half")
        raise ValueError("boom")
    assert not store.artifacts.has("walk", "k1")
    assert drafts(store) == []
    assert stored(store) == []


def test_the_first_publisher_wins(store):
    """A second attempt at the same key changes nothing, does not fail and leaves no file of its own."""
    publish(store.artifacts, "first")
    before = stored(store)
    publish(on_another_host(store).artifacts, "second")
    artifact = on_another_host(store, "third").artifacts.open("walk", "k1")
    assert (artifact.folder / "part" / "a.txt").read_text() == "first"
    assert stored(store) == before


def test_attempts_at_the_same_time_publish_exactly_once(store, tmp_path):
    """Eight processes at the same key: one artifact stands, whole, and every process ends well."""
    homes = [tmp_path / f"host{number}" if store.is_remote else store.home for number in range(8)]
    processes = [
        PROCESSES.Process(target=publish_elsewhere, args=(home, f"text {number}")) for number, home in enumerate(homes)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 8
    store.artifacts.open("walk", "k1")
    assert drafts(store) == []
    assert len(stored(store)) == 3


def _die_while_writing(home: Path) -> None:
    with open_store(home).artifacts.publish(recipe()) as draft:
        (draft.folder / "a.txt").write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_attempt_is_invisible_and_swept_by_the_next(store):
    """kill -9 in the middle publishes nothing; the next attempt removes what was left and succeeds."""
    _run(_die_while_writing, store.home)
    assert not store.artifacts.has("walk", "k1")
    assert len(drafts(store)) == 1
    publish(store.artifacts, "whole")
    assert drafts(store) == []
    assert len(stored(store)) == 3


def test_the_draft_of_a_living_attempt_is_left_alone(store):
    """Sweeping removes only drafts whose process is dead."""
    with store.artifacts.publish(recipe("slow")) as draft:
        publish(store.artifacts, "quick", key="quick")
        (draft.folder / "a.txt").write_text("still mine")
    assert store.artifacts.has("walk", "slow")


@pytest.mark.parametrize("damage", ["flip", "truncate", "delete", "manifest"])
def test_a_damaged_artifact_is_refused(store, damage):
    """One flipped bit, a shorter file, a missing file or a broken manifest are all noticed."""
    publish(store.artifacts, "hello")
    bucket = store.bucket("artifacts")
    [name] = [name for name in stored(store) if name.endswith("part/a.txt")]
    if damage == "delete":
        bucket.remove(name)
    elif damage == "manifest":
        bucket.replace("walk/k1/manifest.json", b"{")
    else:
        bucket.replace(name, {"flip": b"iello", "truncate": b"hell"}[damage])
    with pytest.raises(ArtifactDamagedError, match=rf"{store.place}/artifacts/walk/k1/.* Delete"):
        on_another_host(store).artifacts.open("walk", "k1")


@pytest.mark.parametrize("words", ["attempt", "checksum", "named"])
def test_a_bit_of_a_manifest_in_a_store_of_many_hosts_is_noticed(store_on_s3, words):
    """The name of the attempt too, which is outside the checksum: no other one has these files."""
    publish(store_on_s3.artifacts, "hello")
    bucket, name = store_on_s3.bucket("artifacts"), "walk/k1/manifest.json"
    content = bucket.read(name)
    attempt = named_attempt(content)
    word = attempt if words == "named" else words
    bucket.replace(name, content.replace(word.encode(), (chr(ord(word[0]) ^ 1) + word[1:]).encode()))
    with pytest.raises(ArtifactDamagedError, match=r"walk/k1.* Delete"):
        on_another_host(store_on_s3).artifacts.open("walk", "k1")


def test_a_damaged_copy_is_fetched_anew(store_on_s3):
    """Bits rot on the disk of one host; the store has them right. Who has the old file open keeps it."""
    publish(store_on_s3.artifacts, "hello")
    folder = store_on_s3.artifacts.folder("walk", "k1")
    with (folder / "part/a.txt").open() as kept:
        (folder / "b.txt").write_text("bit rot  ")
        assert (store_on_s3.artifacts.open("walk", "k1").folder / "b.txt").read_text() == "beside it"
        assert kept.read() == "hello"


def test_an_artifact_is_fetched_once_per_host(store_on_s3, monkeypatch):
    """The host that made it has it already."""
    publish(store_on_s3.artifacts, "hello")
    fetched, download = [], RemoteBucket.download
    monkeypatch.setattr(RemoteBucket, "download", lambda *words: (fetched.append(words[1]), download(*words)))
    store_on_s3.artifacts.open("walk", "k1")
    assert fetched == []
    for _ in range(2):
        on_another_host(store_on_s3).artifacts.open("walk", "k1")
    assert len(fetched) == 2


def test_an_artifact_that_was_removed_and_made_again_is_another_copy(store_on_s3):
    """A host that knew the old bytes fetches the new ones."""
    other = on_another_host(store_on_s3)
    for text in ("old", "new"):
        publish(store_on_s3.artifacts, text)
        assert (other.artifacts.open("walk", "k1").folder / "part/a.txt").read_text() == text
        store_on_s3.bucket("artifacts").remove("walk/k1")


def test_an_artifact_that_nobody_made_is_named(store):
    """The error names the store and the stage to run."""
    with pytest.raises(ArtifactMissingError, match=rf"{store.place}/artifacts/walk/k1 .*Run the stage 'walk' first"):
        store.artifacts.open("walk", "k1")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, which only Linux has")
def test_a_full_disk_is_one_clear_sentence(store):
    """Running out of space publishes nothing and says what to do."""
    with (
        pytest.raises(PinSageError, match=r"disk .* is full"),
        store.artifacts.publish(recipe()),
        open("/dev/full", "w") as full,
    ):
        full.write("x" * 100_000)
        full.flush()
    assert not store.artifacts.has("walk", "k1")


def test_the_key_depends_on_every_part_of_the_recipe():
    """Another stage, version, setting, input or outside identity gives another key; order of names does not."""
    key = artifact_key("walk", 1, {"a": 1, "b": 2}, {"x": "1"}, {})
    assert key == artifact_key("walk", 1, {"b": 2, "a": 1}, {"x": "1"}, {})
    others = [
        artifact_key("pair", 1, {"a": 1, "b": 2}, {"x": "1"}, {}),
        artifact_key("walk", 2, {"a": 1, "b": 2}, {"x": "1"}, {}),
        artifact_key("walk", 1, {"a": 1, "b": 3}, {"x": "1"}, {}),
        artifact_key("walk", 1, {"a": 1, "b": 2}, {"x": "2"}, {}),
        artifact_key("walk", 1, {"a": 1, "b": 2}, {"x": "1"}, {"digest": "d"}),
    ]
    assert len({key, *others}) == 6


def _run(target, *arguments) -> int | None:
    process = PROCESSES.Process(target=target, args=arguments)
    process.start()
    process.join(60)
    return process.exitcode


def test_a_value_changed_in_a_manifest_is_refused():
    """It is still JSON, and still has every field; one without a checksum is of an earlier version."""
    text = recipe().to_json()
    assert Manifest.parse(text.encode(), "m") == recipe()
    with pytest.raises(ArtifactDamagedError, match="does not match its own checksum"):
        Manifest.parse(text.replace('"num_walks": 3', '"num_walks": 7').encode(), "m")
    old = {name: value for name, value in json.loads(text).items() if name != "checksum"}
    assert Manifest.parse(json.dumps(old).encode(), "m") == recipe()
