"""A server follows CURRENT, looks at most once a second, and keeps what is good when what is new is not."""

import logging

import pytest
from release_world import ReleaseWorld

from pinsage.errors import ArtifactDamagedError, ArtifactMissingError
from pinsage.release.current import CurrentRelease
from pinsage.release.pointer import Pointer

NOWHERE = "20991231T235959Z-v9-00000000"


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def world(tmp_path) -> ReleaseWorld:
    """A store with one release."""
    world = ReleaseWorld(tmp_path)
    world.first = world.release(1)
    return world


def point_at(world, version) -> None:
    """What nobody should do: move CURRENT without a look at the release."""
    pointer = Pointer(version, (world.first,), since="now")
    world.store.bucket("releases").replace("CURRENT", pointer.to_json())


def test_a_server_moves_after_a_second_and_an_answer_in_between_stays_whole(world):
    """What was taken for a query still answers when the next one gets the new version."""
    clock = Clock()
    current = CurrentRelease(world.store, clock=clock)
    old, second = current.release(), world.release(2)
    clock.now = 0.9
    assert current.release() is old
    clock.now = 1.0
    assert current.release().version == second
    assert old.related("pin-00000").version == world.first


def test_a_server_reads_current_at_most_once_a_second(world, monkeypatch):
    """However many queries there are."""
    clock, reads = Clock(), []
    current = CurrentRelease(world.store, clock=clock)
    read = current._releases.current
    monkeypatch.setattr(current._releases, "current", lambda: (reads.append(1), read())[1])
    for tenth in range(1, 31):
        clock.now = tenth / 10
        current.release()
    assert len(reads) == 3


def test_a_removed_release_goes_on_answering(world):
    """Its files are mapped."""
    current = CurrentRelease(world.store, clock=Clock())
    old = current.release()
    expected = old.related("pin-00000")
    world.release(2), world.release(3)
    assert world.releases.prune(keep=1) == [world.first]
    assert old.related("pin-00000") == expected


@pytest.mark.parametrize("damage", ["nowhere", "damaged", "unreadable"])
def test_the_last_good_release_serves_on(world, caplog, damage):
    """The reason is logged once, not once a second."""
    clock = Clock()
    current = CurrentRelease(world.store, clock=clock)
    if damage == "nowhere":
        point_at(world, NOWHERE)
    elif damage == "damaged":
        folder = world.releases.folder(world.release(2))
        (folder / "embeddings.npy").write_bytes(b"")
    else:
        world.store.bucket("releases").replace("CURRENT", b"{")
    with caplog.at_level(logging.ERROR):
        for second in range(1, 5):
            clock.now = second
            assert current.release().version == world.first
    [record] = caplog.records
    assert f"Release {world.first} goes on serving." in record.message


def test_a_server_that_starts_takes_the_last_good_one(world, caplog):
    """CURRENT points nowhere, and what served before it is there."""
    point_at(world, NOWHERE)
    with caplog.at_level(logging.ERROR):
        assert CurrentRelease(world.store).release().version == world.first
    assert f"There is no release {NOWHERE}." in caplog.text


def test_a_server_without_a_release_is_told_so(tmp_path):
    """Nothing was released yet."""
    with pytest.raises(ArtifactMissingError, match="Nothing has been released yet"):
        CurrentRelease(ReleaseWorld(tmp_path).store)


def test_a_server_without_a_good_release_is_told_what_to_do(world):
    """Neither the current one nor those before it."""
    (world.releases.folder(world.first) / "pins.parquet").unlink()
    with pytest.raises(ArtifactDamagedError, match=r"Neither the current release .* pinsage release rollback VERSION"):
        CurrentRelease(world.store)
