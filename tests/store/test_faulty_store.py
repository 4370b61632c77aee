"""A store that refuses, breaks off or says nothing now and then is asked again; one that goes on so is named."""

import pytest
from faulty_proxy import Faults, faulty_proxy
from s3fs import S3FileSystem

from pinsage.errors import SettingsError, StoreError
from pinsage.store import remote
from pinsage.store.deployment import open_store
from pinsage.store.manifest import Manifest
from pinsage.store.remote import RemoteBucket

LARGE = bytes(range(256)) * 4096  # 1 MB: more than one read of a connection


@pytest.fixture
def through(s3, s3_url, monkeypatch):
    """A bucket behind a proxy with these faults."""
    stack = []

    def bucket(faults: Faults) -> RemoteBucket:
        proxy = faulty_proxy(s3.address, faults)
        stack.append(proxy)
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.__enter__())
        _forget_connections()
        return RemoteBucket(s3_url)

    yield bucket
    for proxy in stack:
        proxy.__exit__(None, None, None)
    _forget_connections()


def _forget_connections():
    remote._open_in_process.cache_clear()
    S3FileSystem.clear_instance_cache()


@pytest.mark.parametrize("kind", ["503", "500", "reset", "cut"])
def test_every_third_request_that_fails_is_asked_again(through, tmp_path, kind):
    """Small files and large ones arrive, and a listing is whole."""
    faults = Faults(kind, every=3)
    bucket, source = through(faults), tmp_path / "large"
    source.write_bytes(LARGE)
    for number in range(4):
        bucket.upload(source, f"large{number}")
        bucket.replace(f"small{number}", b"small")
        bucket.download(f"large{number}", tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == LARGE
        assert bucket.read(f"small{number}") == b"small"
    assert len(bucket.names()) == 8
    bucket.remove("large0")
    assert bucket.size_bytes("large0") is None
    assert faults.count >= 5


def test_an_artifact_is_published_and_fetched_through_a_bad_line(through, s3_url, tmp_path, monkeypatch):
    """Byte by byte what was written."""
    through(Faults("reset", every=4))
    monkeypatch.setenv("PINSAGE_STORE", s3_url)
    with open_store(tmp_path / "one").artifacts.publish(Manifest("walk", "k", 1, {}, {}, {}, "test")) as draft:
        for name in "abc":
            (draft.folder / name).write_bytes(LARGE)
    folder = open_store(tmp_path / "other").artifacts.open("walk", "k").folder
    assert all((folder / name).read_bytes() == LARGE for name in "abc")


def test_a_creation_whose_answer_is_lost_is_known_for_ours(through):
    """The second try finds the file there, with what we wanted to write: it is ours, not another's."""
    faults = Faults("lost answer", every=1, method="PUT")
    bucket = through(faults)
    assert bucket.create("manifest.json", b"ours")
    faults.every = 0
    assert not bucket.create("manifest.json", b"theirs")
    assert bucket.read("manifest.json") == b"ours"
    assert faults.count >= 1


@pytest.mark.parametrize("kind", ["503", "500", "reset"])
def test_a_store_that_goes_on_failing_is_named(through, monkeypatch, kind):
    """The sentence names the file, what it said, and what to check; it comes when patience ends."""
    monkeypatch.setattr(remote, "PATIENCE_S", 1.5)
    monkeypatch.setattr(S3FileSystem, "retries", 1)
    bucket = through(Faults(kind, every=1))
    calls = {"read": ["a"], "replace": ["a", b""], "create": ["a", b""], "names": [], "size_bytes": ["a"]}
    for name, arguments in calls.items():
        with pytest.raises(StoreError, match=rf"^{bucket.url}/\S* cannot be read or written \(.+\)\. Check that"):
            getattr(bucket, name)(*arguments)


def test_a_store_that_says_nothing_is_named(through, monkeypatch):
    """A connection that hangs ends by itself."""
    monkeypatch.setattr(remote, "PATIENCE_S", 0.5)
    monkeypatch.setattr(S3FileSystem, "read_timeout", 0.3)
    monkeypatch.setattr(S3FileSystem, "retries", 1)
    with pytest.raises(StoreError, match=r"[Tt]imeout"):
        through(Faults("silence", every=1)).read("a")


def test_a_bucket_that_is_not_there_is_named_at_once(s3, monkeypatch):
    """It does not appear by itself."""
    monkeypatch.setattr(remote, "PATIENCE_S", 600.0)
    bucket = RemoteBucket("s3://nobody-made-this")
    assert bucket.read("a") is None
    assert bucket.names() == []
    with pytest.raises(StoreError, match=r"s3://nobody-made-this/a cannot be .*bucket does not exist.* Check that"):
        bucket.replace("a", b"")


def test_a_place_that_fsspec_cannot_open_is_an_error(tmp_path, monkeypatch):
    """The sentence names the variable."""
    monkeypatch.setenv("PINSAGE_STORE", "sky://here")
    with pytest.raises(SettingsError, match=r"The store sky://here.* cannot be opened .*Check PINSAGE_STORE"):
        open_store(tmp_path).runs.all()


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("var/store", "a relative folder"),
        ("memory://store", "ends with its process"),
        ("s3://key:secret@bucket/x", "a password"),
    ],
)
def test_a_place_that_cannot_be_the_store_of_a_deployment_is_refused(tmp_path, monkeypatch, place, words):
    """Without saying a password."""
    monkeypatch.setenv("PINSAGE_STORE", place)
    with pytest.raises(SettingsError, match=words) as caught:
        open_store(tmp_path)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("place", ["{}/shared/", "file://{}/shared"])
def test_a_folder_may_be_the_store_of_many_hosts(tmp_path, monkeypatch, place):
    """Artifacts, records and scratch lie there, not in the data folder of the host."""
    monkeypatch.setenv("PINSAGE_STORE", place.format(tmp_path))
    store = open_store(tmp_path / "home")
    store.bucket("runs").replace("r/run.json", b"{}")
    assert (tmp_path / "shared/runs/r/run.json").is_file()
    assert store.scratch("train", "k") == tmp_path / "shared/scratch/train/k"
    assert not store.is_remote


@pytest.mark.parametrize("size", ["much", "0", "nan", "-1"])
def test_a_cache_of_no_size_is_refused(tmp_path, monkeypatch, size):
    """The sentence names the variable and its unit."""
    monkeypatch.setenv("PINSAGE_CACHE_GB", size)
    with pytest.raises(SettingsError, match=rf"PINSAGE_CACHE_GB is '{size}', not a size\. Give gigabytes"):
        _ = open_store(tmp_path).cache
