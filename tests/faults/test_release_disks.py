"""A disk that fills while a release is written: one sentence, nothing half-made, and the last one serves on."""

import pytest
from release_world import ReleaseWorld

from pinsage.errors import DiskFullError
from pinsage.release.current import CurrentRelease
from pinsage.release.releases import Releases
from pinsage.store.deployment import Store


def test_a_disk_that_fills_leaves_the_last_release_serving(tiny_disk, tmp_path):
    """1 MB has room for a release of 60 pins, not for one of 5,000."""
    world = ReleaseWorld(tmp_path)
    store = Store(tiny_disk, str(tiny_disk))
    releases = Releases(store)
    first = releases.publish(world.parts(1), "test")
    releases.point(first)
    current = CurrentRelease(store, every_s=0)
    with pytest.raises(DiskFullError, match=r"^The disk of \S+ on \S+ is full .* Free space and run again\.$"):
        releases.publish(world.parts(2, num_pins=5000, dim=32), "test")
    assert releases.versions() == [first]
    assert current.release().related("pin-00000", 3).version == first
    second = releases.publish(world.parts(3), "test")
    releases.point(second)
    assert current.release().version == second
