"""What the pipeline writes is its owner's alone."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pinsage.errors import SettingsError
from tasks.running.private_files import keep_files_private, make_private_folder

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def usual_umask(monkeypatch):
    """What most shells have: everybody may read. The process gets its own back afterwards."""
    monkeypatch.delenv("PINSAGE_UMASK", raising=False)
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(("umask", "expected"), [("", 0o600), ("077", 0o600), ("027", 0o640), ("022", 0o644)])
def test_others_read_what_the_owner_lets_them(tmp_path, monkeypatch, umask, expected):
    """Nothing, unless PINSAGE_UMASK says otherwise."""
    monkeypatch.setenv("PINSAGE_UMASK", umask)
    keep_files_private()
    (tmp_path / "file").touch()
    assert mode_of(tmp_path / "file") == expected


@pytest.mark.parametrize("umask", ["8", "0o77", "7777", "-1", "u=rwx"])
def test_a_umask_that_is_none_is_refused(monkeypatch, umask):
    """Before anything is written that others could read."""
    monkeypatch.setenv("PINSAGE_UMASK", umask)
    with pytest.raises(SettingsError, match=r"PINSAGE_UMASK is '.*', not a umask"):
        keep_files_private()


def test_a_data_folder_from_before_is_closed(tmp_path):
    """With its top all of it, whatever the files below may say of themselves."""
    folder = tmp_path / "var"
    folder.mkdir(mode=0o755)
    make_private_folder(folder)
    assert mode_of(folder) == 0o700


@pytest.mark.parametrize("command", [["tasks", "ingest", "--run-id", "r", "--home"], ["tasks.command_line.cli"]])
def test_processes_begin_with_it(tmp_path, command):
    """A stage, and the command pinsage: the record of the run is the first thing that either writes."""
    home = tmp_path / "home"
    asked = [str(home)] if command[0] == "tasks" else ["run", "--dataset", str(tmp_path), "--home", str(home)]
    subprocess.run([sys.executable, "-m", *command, *asked], cwd=ROOT, capture_output=True, check=False)
    written = [path for path in home.rglob("*") if path.is_file()]
    assert written
    assert {mode_of(path) & 0o077 for path in written} == {0}
