"""Stores of the tests: no deployment's own, and where a test asks for it a real S3 server."""

import os
from itertools import count

import pytest
from s3_server import s3_server

for name in ("PINSAGE_STORE", "PINSAGE_CACHE", "PINSAGE_CACHE_GB"):
    os.environ.pop(name, None)  # tests must not write where the person who runs them works

_NUMBERS = count()


@pytest.fixture(scope="session")
def s3():
    """An S3 server that all tests of a session share; this process and those it starts find it."""
    with s3_server() as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        yield server


@pytest.fixture
def s3_url(s3):
    """The URL of an empty place of the server."""
    return f"{s3.make_bucket(f'bucket-{next(_NUMBERS)}')}/pinsage"


@pytest.fixture(params=["folder", "S3"])
def store(request, tmp_path, monkeypatch):
    """A store of each kind, which stages of this process and of those it starts take as the deployment's."""
    from pinsage.store.deployment import STORE, open_store

    if request.param == "S3":
        monkeypatch.setenv(STORE, request.getfixturevalue("s3_url"))
    return open_store(tmp_path / "home")


@pytest.fixture
def store_on_s3(s3_url, tmp_path, monkeypatch):
    """A store on the S3 server, which stages take as the deployment's."""
    from pinsage.store.deployment import STORE, open_store

    monkeypatch.setenv(STORE, s3_url)
    return open_store(tmp_path / "home")
