"""Artifacts appear whole or not at all, once per key, and are refused when a byte changed."""

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from pinsage.errors import ArtifactDamagedError, ArtifactMissingError, PinSageError
from pinsage.store.artifact import STAGING, ArtifactStore
from pinsage.store.manifest import Manifest, artifact_key

FORK = multiprocessing.get_context("fork")


def recipe(key: str = "k1") -> Manifest:
    return Manifest("walk", key, 1, {"num_walks": 3}, {"connect": "abc"}, {}, "0.1.0")


def publish(root: Path, text: str, key: str = "k1") -> None:
    with ArtifactStore(root).publish(recipe(key)) as draft:
        (draft.folder / "part").mkdir()
        (draft.folder / "part" / "a.txt").write_text(text)
        draft.facts["rows"] = len(text)


def test_a_published_artifact_opens_with_its_files_and_facts(tmp_path):
    """What was written and said is what a later stage reads."""
    publish(tmp_path, "hello")
    artifact = ArtifactStore(tmp_path).open("walk", "k1")
    assert (artifact.folder / "part" / "a.txt").read_text() == "hello"
    assert artifact.manifest.facts == {"rows": 5}
    assert [entry.path for entry in artifact.manifest.files] == ["part/a.txt"]


def test_a_draft_that_fails_leaves_nothing_behind(tmp_path):
    """An exception inside the block publishes nothing and removes the draft."""
    store = ArtifactStore(tmp_path)
    with pytest.raises(ValueError, match="boom"), store.publish(recipe()) as draft:
        (draft.folder / "a.txt").write_text("half")
        raise ValueError("boom")
    assert not store.has("walk", "k1")
    assert list((tmp_path / "walk").iterdir()) == []


def test_the_first_publisher_wins(tmp_path):
    """A second attempt at the same key changes nothing and does not fail."""
    publish(tmp_path, "first")
    publish(tmp_path, "second")
    artifact = ArtifactStore(tmp_path).open("walk", "k1")
    assert (artifact.folder / "part" / "a.txt").read_text() == "first"


def test_attempts_at_the_same_time_publish_exactly_once(tmp_path):
    """Eight processes at the same key: one artifact stands, whole, and every process ends well."""
    processes = [FORK.Process(target=publish, args=(tmp_path, f"text {n}")) for n in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0] * 8
    ArtifactStore(tmp_path).open("walk", "k1")
    assert [path.name for path in (tmp_path / "walk").iterdir()] == ["k1"]


def _die_while_writing(root: Path) -> None:
    with ArtifactStore(root).publish(recipe()) as draft:
        (draft.folder / "a.txt").write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_attempt_is_invisible_and_swept_by_the_next(tmp_path):
    """kill -9 in the middle publishes nothing; the next attempt removes what was left and succeeds."""
    process = FORK.Process(target=_die_while_writing, args=(tmp_path,))
    process.start()
    process.join(30)
    assert not ArtifactStore(tmp_path).has("walk", "k1")
    assert len(list((tmp_path / "walk").glob(f"{STAGING}*"))) == 1
    publish(tmp_path, "whole")
    assert [path.name for path in (tmp_path / "walk").iterdir()] == ["k1"]


def test_the_draft_of_a_living_attempt_is_left_alone(tmp_path):
    """Sweeping removes only drafts whose process is dead."""
    store = ArtifactStore(tmp_path)
    with store.publish(recipe("slow")) as draft:
        publish(tmp_path, "quick", key="quick")
        (draft.folder / "a.txt").write_text("still mine")
    assert store.has("walk", "slow")


@pytest.mark.parametrize("damage", ["flip", "truncate", "delete", "manifest"])
def test_a_damaged_artifact_is_refused(tmp_path, damage):
    """One flipped bit, a shorter file, a missing file or a broken manifest are all noticed."""
    publish(tmp_path, "hello")
    path = tmp_path / "walk" / "k1" / "part" / "a.txt"
    if damage == "flip":
        path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])
    elif damage == "truncate":
        path.write_text("hell")
    elif damage == "delete":
        path.unlink()
    else:
        (tmp_path / "walk" / "k1" / "manifest.json").write_text("{")
    with pytest.raises(ArtifactDamagedError, match="Delete"):
        ArtifactStore(tmp_path).open("walk", "k1")


def test_an_artifact_that_nobody_made_is_named(tmp_path):
    """The error names the stage to run."""
    with pytest.raises(ArtifactMissingError, match="Run the stage 'walk' first"):
        ArtifactStore(tmp_path).open("walk", "k1")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, which only Linux has")
def test_a_full_disk_is_one_clear_sentence(tmp_path):
    """Running out of space publishes nothing and says what to do."""
    store = ArtifactStore(tmp_path)
    with pytest.raises(PinSageError, match=r"disk .* is full"), store.publish(recipe()), open("/dev/full", "w") as full:
        full.write("x" * 100_000)
        full.flush()
    assert not store.has("walk", "k1")


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
