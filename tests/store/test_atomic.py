"""A file is there whole or not at all."""

import os
from contextlib import contextmanager

import pytest

from pinsage.store.atomic import create_file, replace_file
from pinsage.store.lock import hold_lock


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


def test_a_file_is_created_once(tmp_path):
    """The second is refused and leaves nothing."""
    create_file(tmp_path / "a.json", b"first")
    with pytest.raises(FileExistsError):
        create_file(tmp_path / "a.json", b"second")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.json": b"first"}


@pytest.mark.parametrize("write", [create_file, replace_file])
def test_the_next_write_removes_what_a_dead_writer_left_and_nothing_of_one_that_lives(tmp_path, write):
    """Whatever the name of the file: the lock tells, which a writer holds to its end."""
    dead, alive = tmp_path / ".a.json.1.partial", tmp_path / ".b.json.2.partial"
    dead.write_bytes(b"half")
    with hold_lock(alive):
        write(tmp_path / "c.json", b"{}")
        assert sorted(path.name for path in tmp_path.iterdir()) == [alive.name, "c.json"]


def test_a_writer_whose_file_was_taken_for_an_abandoned_one_takes_another(tmp_path, monkeypatch):
    """Another writer may look between the making of the file and its lock."""
    removed = []

    @contextmanager
    def hold(path):
        with hold_lock(path):
            if not removed:
                removed.append(path)
                path.unlink()
            yield

    monkeypatch.setattr("pinsage.store.atomic.hold_lock", hold)
    replace_file(tmp_path / "a.json", b"{}")
    assert removed
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
