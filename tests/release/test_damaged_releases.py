"""300 damaged releases: every one is refused with a sentence, and none is opened."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from release_world import ReleaseWorld

from pinsage.errors import ArtifactDamagedError
from pinsage.release.contents import FILES
from pinsage.release.release import SERVED, Release
from pinsage.release.verification import verify_manifest
from pinsage.store.manifest import Manifest

CASES = 300
NAMES = sorted(FILES | {"manifest.json"})
KINDS = ("bit", "cut", "zeros", "longer", "swapped", "of another release", "missing", "empty")


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """Two releases of a store: the folder of the one to damage, its version, and the folder of another one."""
    world = ReleaseWorld(tmp_path_factory.mktemp("sound"))
    version, other = world.release(1, strength=0), world.release(2)
    return world.releases.folder(version), version, world.releases.folder(other)


def damage(folder, other, kind, name, rng) -> None:
    """Do one thing to one file of a release; swaps need a second file."""
    path = folder / name
    whole = path.read_bytes()
    at = int(rng.integers(len(whole)))
    flipped = whole[:at] + bytes([whole[at] ^ (1 << int(rng.integers(8)))]) + whole[at + 1 :]
    zeros = bytes(min(64, len(whole) - at))
    second = folder / NAMES[(NAMES.index(name) + 1 + int(rng.integers(len(NAMES) - 1))) % len(NAMES)]
    if kind == "swapped":
        path.write_bytes(second.read_bytes())
        second.write_bytes(whole)
    elif kind == "missing":
        path.unlink()
    else:
        path.write_bytes({
            "bit": flipped, "cut": whole[:at], "zeros": whole[:at] + zeros + whole[at + len(zeros) :],
            "longer": whole + whole[:at] + b"\0", "of another release": (other / name).read_bytes(), "empty": b"",
        }[kind])  # fmt: skip


@pytest.mark.parametrize("case", range(CASES))
def test_a_damaged_release_is_refused(sound, tmp_path, case):
    """Verification finds each; opening refuses it too where the file is one that is served."""
    folder, version, other = sound
    rng = np.random.default_rng(case)
    name, kind = NAMES[case % len(NAMES)], KINDS[int(rng.integers(len(KINDS)))]
    copy = shutil.copytree(folder, tmp_path / version)
    damage(copy, other, kind, name, rng)
    if all(path.read_bytes() == (folder / path.name).read_bytes() for path in copy.iterdir()) and kind != "missing":
        damage(copy, other, "bit", name, rng)  # zeros over zeros, or a file that two releases have in common
    with pytest.raises(ArtifactDamagedError) as caught:
        verify_manifest(copy, version)
    assert str(caught.value).endswith("go back with `pinsage release rollback`, and delete it.")
    assert "\n" not in str(caught.value)
    if name in (*SERVED, "index.ann", "manifest.json"):
        with pytest.raises(ArtifactDamagedError):
            Release.open(copy, version)


def test_a_release_under_another_name_is_refused(sound, tmp_path):
    """A folder that was renamed, or swapped with another."""
    _, version, other = sound
    copy = shutil.copytree(other, tmp_path / version)
    with pytest.raises(ArtifactDamagedError, match=rf"is the manifest of {other.name}\. The release {version} is"):
        verify_manifest(copy, version)


def test_figures_that_do_not_agree_are_refused(sound, tmp_path):
    """A manifest whose checksums fit, written for files that do not fit together."""
    folder, version, _ = sound
    for fact, value in (
        ("pins", 59),
        ("dim", 9),
        ("model_key", "other"),
        ("pin_ids_sha256", "0" * 64),
        ("search_k", "x"),
    ):
        copy = shutil.copytree(folder, tmp_path / fact / version)
        manifest = Manifest.read(copy)
        changed = replace(manifest, facts={**manifest.facts, fact: value})
        (copy / "manifest.json").write_text(changed.to_json())
        with pytest.raises(ArtifactDamagedError):
            verify_manifest(copy, version)
