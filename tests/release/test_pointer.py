"""Versions in order."""

from pinsage.release.pointer import order


def test_versions_are_in_order_of_time_and_then_of_the_model():
    """The tenth version comes after the ninth, in the same second too."""
    versions = ["20261125T190312Z-v9-ffffffff", "20261125T190312Z-v10-00000000", "20261125T190313Z-v2-00000000"]
    assert sorted([versions[2], versions[1], versions[0]], key=order) == versions
