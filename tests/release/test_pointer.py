"""Versions in order, and a pointer that names no other one by a flipped bit."""

import pytest

from pinsage.errors import ArtifactDamagedError
from pinsage.release.pointer import Pointer, order


def test_versions_are_in_order_of_time_and_then_of_the_model():
    """The tenth version comes after the ninth, in the same second too."""
    versions = ["20261125T190312Z-v9-ffffffff", "20261125T190312Z-v10-00000000", "20261125T190313Z-v2-00000000"]
    assert sorted([versions[2], versions[1], versions[0]], key=order) == versions


def test_a_pointer_to_another_release_by_damage_is_refused():
    """The other one may exist."""
    pointer = Pointer.first("20261125T190312Z-v9-ffffffff")
    assert Pointer.parse(pointer.to_json(), "CURRENT") == pointer
    with pytest.raises(ArtifactDamagedError, match=r"CURRENT cannot be read .*own checksum.* release rollback VERSION"):
        Pointer.parse(pointer.to_json().replace(b"-v9-", b"-v1-"), "CURRENT")
