"""The world the tests of training share."""

import pytest
from planted_world import planted


@pytest.fixture(scope="session")
def world():
    """The builder of planted worlds."""
    return planted
