"""Releases in a folder and on S3: the same life, seen by one host or by two."""

import logging

import pytest
from release_world import ReleaseWorld

from pinsage.errors import ArtifactDamagedError, ArtifactMissingError
from pinsage.release.contents import FILES
from pinsage.release.current import CurrentRelease
from pinsage.store.deployment import Store


@pytest.fixture
def world(tmp_path, store) -> ReleaseWorld:
    """An empty store of each kind."""
    return ReleaseWorld(tmp_path, store)


def test_releases_come_are_taken_back_and_go(world):
    """Publish, point, roll back, remove; a server follows."""
    versions = [world.release(number) for number in (1, 2, 3)]
    current = CurrentRelease(world.store, every_s=0)
    assert world.releases.versions() == versions[::-1]
    assert {entry.path for entry in world.releases.verify(versions[2]).files} == FILES
    assert current.release().related("pin-00000").version == versions[2]
    world.releases.roll_back()
    assert current.release().related("pin-00000").version == versions[1]
    fourth = world.release(4)
    assert world.releases.prune(keep=1) == [versions[2], versions[0]]
    assert world.releases.versions() == [fourth, versions[1]]
    assert current.release().related("pin-00000").version == fourth


def test_a_release_that_was_never_published_is_missing(world):
    """In both kinds of store."""
    with pytest.raises(ArtifactMissingError, match="There is no release"):
        world.releases.open("20261125T190312Z-v3-1a2b3c4d")
    with pytest.raises(ArtifactMissingError, match="Nothing has been released yet"):
        world.releases.current()


def test_two_hosts_release_and_each_sees_the_other(store_on_s3, tmp_path):
    """They share nothing but the store."""
    hosts = [
        ReleaseWorld(tmp_path / name, Store(tmp_path / name / "home", store_on_s3.place)) for name in ("one", "other")
    ]
    first, second = hosts[0].release(1), hosts[1].release(2)
    assert hosts[0].releases.current().version == second
    assert hosts[0].releases.current().previous == (first,)
    assert hosts[0].releases.open(second).related("pin-00000") == hosts[1].releases.open(second).related("pin-00000")


def test_a_damaged_copy_of_a_host_is_fetched_again(store_on_s3, tmp_path):
    """What the store holds decides."""
    world = ReleaseWorld(tmp_path, store_on_s3)
    version = world.release(1)
    path = world.releases.folder(version) / "index.ann"
    path.write_bytes(path.read_bytes()[:-1])
    assert world.releases.open(version).related("pin-00000").version == version


def test_a_release_damaged_in_the_store_is_refused_and_the_last_one_serves_on(store_on_s3, tmp_path, caplog):
    """On another host, which has no good copy."""
    world = ReleaseWorld(tmp_path / "one", store_on_s3)
    first = world.release(1)
    other = Store(tmp_path / "other", store_on_s3.place)
    current = CurrentRelease(other, every_s=0)
    second = world.release(2)
    bucket = world.store.bucket("releases")
    [name] = [name for name in bucket.names() if second in name and name.endswith("embeddings.npy")]
    bucket.replace(name, b"\0" * len(bucket.read(name)))
    with caplog.at_level(logging.ERROR):
        assert current.release().version == first
    assert f"Release {first} goes on serving." in caplog.text
    with pytest.raises(ArtifactDamagedError, match=r"embeddings\.npy"):
        ReleaseWorld(tmp_path / "third", other).releases.verify(second)
