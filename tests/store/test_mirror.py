"""What a host keeps in its scratch folder is there for the next host, too."""

import time

import pytest

from pinsage.errors import StoreError
from pinsage.store import mirror as mirrors
from pinsage.store.deployment import Store


@pytest.fixture(autouse=True)
def _often(monkeypatch):
    monkeypatch.setattr(mirrors, "EVERY_S", 0.05)


def kept(store):
    return store.bucket("checkpoints/train/k").names()


def await_kept(store, names):
    """Wait until the store keeps these files."""
    began = time.monotonic()
    while kept(store) != names:
        assert time.monotonic() - began < 60, kept(store)
        time.sleep(0.05)


def test_another_host_finds_the_files_of_the_first(store_on_s3, tmp_path):
    """Those that match, and no longer those that were removed."""
    scratch = store_on_s3.scratch("train", "k")
    with store_on_s3.keep_scratch("train", "k", "step-*"):
        for name in ("step-1.json", "step-2.json", "job.json"):
            (scratch / name).write_text(name)
        await_kept(store_on_s3, ["step-1.json", "step-2.json"])
        (scratch / "step-1.json").unlink()
        await_kept(store_on_s3, ["step-2.json"])
    other = Store(tmp_path / "other", store_on_s3.place)
    with other.keep_scratch("train", "k", "step-*"):
        assert [path.read_text() for path in other.scratch("train", "k").iterdir()] == ["step-2.json"]
    other.drop_scratch("train", "k")
    assert kept(store_on_s3) == []
    assert not other.scratch("train", "k").exists()


def test_what_another_host_has_sent_meanwhile_stays(store_on_s3, tmp_path):
    """An attempt that slept through its own kill removes nothing of the next one's."""
    with store_on_s3.keep_scratch("train", "k", "step-*"):
        other = Store(tmp_path / "other", store_on_s3.place)
        with other.keep_scratch("train", "k", "step-*"):
            (other.scratch("train", "k") / "step-2.json").write_text("2")
            await_kept(store_on_s3, ["step-2.json"])
        (store_on_s3.scratch("train", "k") / "step-1.json").write_text("1")
        await_kept(store_on_s3, ["step-1.json", "step-2.json"])
        (store_on_s3.scratch("train", "k") / "step-1.json").unlink()
        await_kept(store_on_s3, ["step-2.json"])


def test_a_store_that_is_lost_later_does_not_stop_the_work(store_on_s3, monkeypatch, caplog):
    """It is a warning, and the file is sent when the store is back."""
    scratch = store_on_s3.scratch("train", "k")
    with store_on_s3.keep_scratch("train", "k", "step-*"):
        with monkeypatch.context() as patch:
            patch.setattr(mirrors, "_send", _lose)
            (scratch / "step-1.json").write_text("1")
            began = time.monotonic()
            while "did not reach the store" not in caplog.text:
                assert time.monotonic() - began < 60
                time.sleep(0.05)
        await_kept(store_on_s3, ["step-1.json"])


def _lose(*arguments):
    raise StoreError("The store is away.")


def test_a_folder_needs_no_second_place(tmp_path):
    """The scratch folder lies in the store itself."""
    store = Store(tmp_path, str(tmp_path / "shared"))
    with store.keep_scratch("train", "k", "step-*"):
        pass
    assert store.scratch("train", "k") == tmp_path / "shared/scratch/train/k"
