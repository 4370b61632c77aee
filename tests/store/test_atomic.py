"""A file is there whole or not at all."""

import os

import pytest

from pinsage.store.atomic import replace_file


def test_a_file_appears_with_its_folder(tmp_path):
    """Nothing else is left beside it."""
    replace_file(tmp_path / "new" / "a.json", b"{}")
    assert {path.name: path.read_bytes() for path in (tmp_path / "new").iterdir()} == {"a.json": b"{}"}


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    """The disk refuses to sync; the half-written file goes away, too."""
    path = tmp_path / "a.json"
    replace_file(path, b"old")

    def refuse(descriptor):
        raise OSError("full")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="full"):
        replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_content_is_on_the_disk_before_the_name_and_then_the_folder(tmp_path, monkeypatch):
    """A power cut between any two of them leaves the old file or the new one."""
    path, seen, fsync = tmp_path / "a.json", [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (seen.append(path.exists()), fsync(descriptor)))
    replace_file(path, b"new")
    assert seen == [False, True]
