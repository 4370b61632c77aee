"""Set-up tells a person what the machine lacks, and tells uv what pip knows."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.standalone import environment
from tasks.standalone.environment import first_obstacle, index_options, install

ROOT = Path(__file__).parents[2]


def test_this_machine_has_everything():
    """Otherwise these tests would not run."""
    assert first_obstacle(sys.version_info[:2], str(ROOT)) is None


def test_an_old_python_is_told_its_version_and_what_to_do():
    """Before anything that it could not read is imported."""
    sentence = first_obstacle((3, 9), "venv")
    assert "Python 3.9" in sentence
    assert "3.11 or newer" in sentence
    assert "make run PYTHON=" in sentence


def test_a_missing_compiler_is_named(monkeypatch):
    """The index library has no wheels."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    assert "C++ compiler" in first_obstacle((3, 12), "venv")


def test_missing_headers_are_named(monkeypatch, tmp_path):
    """Their path is in the sentence."""
    monkeypatch.setattr(environment.sysconfig, "get_paths", lambda: {"include": str(tmp_path)})
    assert f"{tmp_path}/Python.h" in first_obstacle((3, 12), "venv")


def test_too_little_disk_matters_only_before_the_first_set_up(monkeypatch, tmp_path):
    """A disk that is nearly full does not stop an environment that is there."""
    monkeypatch.setattr(environment, "DISK_GB", 10**9)
    assert "needs 1000000000" in first_obstacle((3, 12), str(tmp_path / "missing"))
    assert first_obstacle((3, 12), str(tmp_path)) is None


def test_obstacles_end_the_program_with_one_line(tmp_path):
    """As make sees it: exit code 2, no traceback."""
    bare = {**os.environ, "PATH": "", "CXX": ""}
    command = [sys.executable, str(ROOT / "tasks/standalone/environment.py"), str(tmp_path / "venv")]
    done = subprocess.run(command, env=bare, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("config", "options"),
    [
        ("", []),
        ("global.timeout='60'\n", []),
        ("global.find-links='/wheels /more'\n", ["--find-links", "/wheels", "--find-links", "/more"]),
        (":env:.index-url='https://a.example/simple'\n", ["--index-url", "https://a.example/simple"]),
        (
            "user.extra-index-url='file:///one\\nfile:///two'\n",
            "--extra-index-url file:///one --extra-index-url file:///two --index-strategy unsafe-best-match".split(),
        ),
        (
            "global.no-index='true'\nglobal.trusted-host='a.example'\n",
            ["--no-index", "--allow-insecure-host", "a.example"],
        ),
    ],
)
def test_what_pip_was_told_uv_is_told(config, options):
    """uv reads neither pip's files nor its environment."""
    assert index_options(config) == options


def test_install_uses_the_pinned_set_and_keeps_an_existing_environment(monkeypatch, tmp_path):
    """No second environment over one that is there; constraints on every resolution."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()
    commands: list[list[str]] = []
    monkeypatch.setattr(environment, "run", commands.append)
    monkeypatch.setattr(environment, "pip_config", lambda python: "global.find-links='/wheels'\n")
    install(str(tmp_path))
    assert not any("venv" in command for command in commands)
    assert commands[1][-2:] == ["-c", "constraints.txt"]
    assert "/wheels" in commands[1]
