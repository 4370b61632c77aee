"""Releases appear whole, CURRENT follows only what was verified, and a rollback holds."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from release_world import DIM, NUM_PINS, ReleaseWorld, write_vectors

from pinsage.errors import ArtifactDamagedError, ArtifactMissingError, DiskFullError, InputError, ReleaseMovedError
from pinsage.release.contents import FILES, ModelVersion
from pinsage.release.pointer import VERSION, Pointer
from pinsage.settings.loading import load_settings


@pytest.fixture
def world(tmp_path) -> ReleaseWorld:
    """An empty store."""
    return ReleaseWorld(tmp_path)


def test_a_release_holds_what_a_serving_team_takes(world):
    """All files, a manifest that says what they are, and CURRENT."""
    version = world.release(3)
    folder = world.releases.folder(version)
    assert {path.name for path in folder.iterdir()} == FILES | {"manifest.json"}
    assert VERSION.fullmatch(version)
    facts = world.releases.manifest(version).facts
    expected = {"model_version": 3, "pins": NUM_PINS, "dim": DIM, "stored_dim": DIM + 2, "search": "exact"}
    assert facts.items() >= expected.items()
    assert world.releases.current().version == version
    assert json.loads((folder.parent / "CURRENT").read_text())["version"] == version


def test_the_embeddings_are_there_for_other_tools(world):
    """Parquet and .npy say the same, by pin_id."""
    folder = world.releases.folder(world.release(1))
    table = pq.read_table(folder / "embeddings.parquet")
    np.testing.assert_array_equal(np.stack(table["embedding"].to_numpy()), np.load(folder / "embeddings.npy"))
    np.testing.assert_array_equal(table["popularity"].to_numpy(), np.load(folder / "popularity.npy"))
    assert table["pin_id"].to_pylist() == pq.read_table(folder / "pins.parquet")["pin_id"].to_pylist()


def test_boards_and_settings_are_those_of_the_run(world):
    """A board's pins are rows of pins.parquet; the settings are a preset."""
    folder = world.releases.folder(world.release(1))
    boards = pq.read_table(folder / "boards.parquet").to_pylist()
    assert boards[1] == {"board_id": "board-1", "pins": list(range(0, NUM_PINS, 8))}
    assert load_settings(folder / "settings.yaml") == load_settings()
    assert yaml.safe_load((folder / "settings.yaml").read_text())["index"]["target_recall"] == 0.95


def test_the_readme_names_the_figures(world):
    """No placeholder is left, and every file is explained."""
    folder = world.releases.folder(world.release(1))
    text = (folder / "README.md").read_text()
    assert "$" not in text
    assert f"for {NUM_PINS} pins" in text
    assert [name for name in FILES if name not in text and name != "README.md"] == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda e, p: (e[:-1], p), r"pins of the catalog \(60\) and of the embeddings \(59\) differ"),
        (lambda e, p: (e[:, :4].copy(), p), r"dimension of the embeddings \(4\) and of the index \(8\) differ"),
        (lambda e, p: (np.where(np.arange(60)[:, None] == 7, np.nan, e), p), r"not of length 1 \(first: pin 7"),
        (lambda e, p: (e, -1 - p), "popularities are not numbers of at least 0"),
    ],
)
def test_parts_that_do_not_belong_together_are_refused(world, tmp_path, change, sentence):
    """Nothing is published, and the last good release still serves."""
    before, parts = world.release(1), world.parts(2)
    embedded = shutil.copytree(parts.inputs["embed"], tmp_path / "embed")
    arrays = [np.load(embedded / f"{name}.npy") for name in ("embeddings", "popularity")]
    write_vectors(embedded, *change(*arrays))
    with pytest.raises(InputError, match=sentence):
        world.releases.publish(replace(parts, inputs={**parts.inputs, "embed": embedded}), "test")
    assert world.releases.versions() == [before]
    assert world.releases.open(before).related("pin-00000").version == before


def test_a_model_of_another_dimension_is_refused(world):
    """The model says 16, the index 8."""
    parts, other = world.parts(1), world.parts(2, dim=16)
    with pytest.raises(InputError, match=r"dimension of the model \(16\) and of the index \(8\) differ: no release"):
        world.releases.publish(replace(parts, inputs={**parts.inputs, "train": other.inputs["train"]}), "test")


def test_current_names_only_what_was_verified(world):
    """A byte changed between publishing and pointing."""
    before = world.release(1)
    version = world.releases.publish(world.parts(2), "test")
    path = world.releases.folder(version) / "words.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    with pytest.raises(ArtifactDamagedError, match=rf"words\.npy .* The release {version} is damaged: go back with"):
        world.releases.point(version)
    assert world.releases.current().version == before


def test_two_releases_at_once_are_two_releases(world):
    """Eight threads, four models: each its folder, and CURRENT names one of them."""
    parts = [world.parts(number) for number in (1, 2, 3, 4, 1, 2, 3, 4)]

    def release(one):
        version = world.releases.publish(one, "test")
        return world.releases.point(version) and version

    with ThreadPoolExecutor(8) as pool:
        versions = set(pool.map(release, parts))
    assert set(world.releases.versions()) == versions
    assert {version.split("-")[1] for version in versions} == {"v1", "v2", "v3", "v4"}
    pointer = world.releases.current()
    assert {pointer.version, *pointer.previous} == versions


def test_a_release_that_nobody_wants_any_more_is_not_pointed_at(world):
    """Its model lost the championship while it was written."""
    first, second = world.release(1), world.releases.publish(world.parts(2), "test")
    assert not world.releases.point(second, lambda: False)
    assert world.releases.current().version == first


def test_a_release_made_while_current_was_moved_stays_aside(world):
    """Its attempt may have slept for days; one that is asked again decides on what serves then."""
    first, second = (world.releases.publish(world.parts(number), "test") for number in (1, 2))
    is_wanted = world.releases.unless_moved(lambda: True)
    world.releases.point(second)
    with pytest.raises(ReleaseMovedError, match=r"CURRENT was moved while .* Run the stage again"):
        world.releases.point(first, is_wanted)
    assert not world.releases.point(first, world.releases.unless_moved(lambda: False))
    pointer = world.releases.current()
    assert world.releases.point(second, is_wanted)  # which it names already
    assert world.releases.current() == pointer


def test_a_rollback_goes_back_and_no_second_one_goes_forth(world):
    """What was rolled back from is withdrawn; it can be named, though."""
    first, second, third = (world.release(number) for number in (1, 2, 3))
    assert world.releases.roll_back() == replace(
        Pointer(second, (first,), (third,)), since=world.releases.current().since
    )
    assert world.releases.roll_back().version == first
    with pytest.raises(ArtifactMissingError, match=f"No release served before {first}"):
        world.releases.roll_back()
    forth = world.releases.roll_back(third)
    assert (forth.version, forth.previous, forth.withdrawn) == (third, (first,), (second,))
    assert world.releases.has_served(second)


def test_a_rollback_to_a_damaged_release_is_refused(world):
    """CURRENT stays."""
    first, second = world.release(1), world.release(2)
    (world.releases.folder(first) / "index.ann").unlink()
    with pytest.raises(ArtifactDamagedError, match=r"index\.ann holds nothing"):
        world.releases.roll_back()
    assert world.releases.current().version == second


@pytest.mark.parametrize("name", ["../artifacts", "nothing", "20261125T190312Z-v3-1A2b3c4d", ""])
def test_a_name_that_is_no_version_leads_nowhere(world, name):
    """A version becomes a folder's name."""
    with pytest.raises(InputError, match="is no release"):
        world.releases.folder(name)


def test_a_version_that_is_not_there_is_named(world):
    """With the command that lists what there is."""
    with pytest.raises(ArtifactMissingError, match="There is no release 20261125T190312Z-v3-1a2b3c4d"):
        world.releases.roll_back("20261125T190312Z-v3-1a2b3c4d")


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"\xff", b'{"version": "../x", "previous": [], "withdrawn": []}']
)
def test_a_pointer_that_is_none_is_named_and_can_be_replaced(world, content):
    """A rollback to a named version mends it."""
    version = world.release(1)
    path = world.releases.folder(version).parent / "CURRENT"
    path.write_bytes(content)
    with pytest.raises(ArtifactDamagedError, match=r"CURRENT cannot be read .* pinsage release rollback VERSION"):
        world.releases.current()
    assert world.releases.roll_back(version).version == version
    assert world.releases.current().version == version


def test_old_releases_are_removed_but_not_those_one_goes_back_to(world):
    """The newest two, the current one and the one before it."""
    versions = [world.release(number) for number in (1, 2, 3, 4, 5)]
    world.releases.roll_back(versions[1])
    removed = world.releases.prune(keep=2)
    assert sorted(removed) == [versions[2]]
    assert world.releases.versions() == [versions[place] for place in (4, 3, 1, 0)]
    assert world.releases.prune(keep=2) == []


def test_a_damaged_old_release_keeps_no_other_from_being_found(world):
    """Its manifest is skipped."""
    first, second = world.release(1), world.release(2)
    (world.releases.folder(second) / "manifest.json").write_text("{")
    assert world.releases.find(world.parts(1).model, world.parts(1).index_key) == first
    assert world.releases.find(world.parts(2).model, world.parts(2).index_key) is None
    assert world.releases.find(ModelVersion("pinsage-other-0000", 1)) is None  # the same number, another data set


def test_a_disk_that_fills_leaves_the_last_release_serving(world, monkeypatch):
    """One sentence, no half release."""
    before, parts = world.release(1), world.parts(2)

    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pinsage.release.contents.shutil.copyfile", full)
    with pytest.raises(DiskFullError, match=r"is full .* Free space"):
        world.releases.publish(parts, "test")
    assert world.releases.versions() == [before]
    assert [path.name for path in world.releases.folder(before).parent.glob(".staging*")] == []
