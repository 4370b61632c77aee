"""Drafts of many attempts in one folder: nobody removes that of another who lives."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from pinsage.store import drafts, machine
from pinsage.store.drafts import LOCK, STAGING, abandoned_drafts, draft_folder


def test_no_attempt_removes_the_draft_of_another_one(tmp_path):
    """Eight threads clear away and begin drafts, again and again: each finds its own until it is done."""

    def attempt(number):
        with abandoned_drafts(tmp_path):
            pass
        with draft_folder(tmp_path, f"key{number}") as folder:
            (folder / "content.txt").write_text("whole")
            assert (folder / "content.txt").read_text() == "whole"

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(attempt, range(800)))
    assert list(tmp_path.iterdir()) == []


def test_what_a_kill_within_the_removal_leaves_is_removed(tmp_path):
    """The folder is empty when its lock goes: one without a lock would be nobody's for ever, whatever its size."""
    (tmp_path / f"{STAGING}key-1").mkdir()
    (tmp_path / f"{STAGING}key-2" / "content" / "part").mkdir(parents=True)
    (tmp_path / f"{STAGING}key-2" / LOCK).touch()
    with abandoned_drafts(tmp_path) as found:
        assert found == [("key", "2")]
    assert list(tmp_path.iterdir()) == []


def test_memory_that_ran_out_makes_room_before_the_draft_is_removed(tmp_path, monkeypatch):
    """Removing a folder takes memory, too."""
    machine.keep_memory_reserve()
    kept = []
    monkeypatch.setattr(drafts, "_remove", lambda staging: kept.append(len(machine._reserve)))
    with pytest.raises(MemoryError), draft_folder(tmp_path, "k"):
        raise MemoryError
    assert kept == [0]
