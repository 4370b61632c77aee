"""Places where things break, and a small world that nothing has disturbed."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from stage_world import StageServer, run_in_peace

from pinsage.datasets.demo.world import write_demo


@contextmanager
def file_system(folder: Path, size: str) -> Iterator[Path]:
    """A folder that is a file system of its own."""
    folder.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, check=False
    )
    if mount.returncode:
        pytest.skip(f"a file system may not be mounted here ({mount.stderr.decode().strip()})")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def tiny_disk(tmp_path):
    """A folder on a file system of its own with room for 1 MB."""
    with file_system(tmp_path / "tiny", "1m") as folder:
        yield folder


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a file system of its own with room for 64 MB, several times what the small world takes."""
    with file_system(tmp_path / "small", "64m") as folder:
        yield folder


@pytest.fixture(scope="session")
def peace(tmp_path_factory):
    """A small world and a run over it that nothing disturbed."""
    folder = tmp_path_factory.mktemp("peace")
    write_demo(folder / "demo", num_pins=300, seed=0)
    server = StageServer()
    yield run_in_peace(server, folder, folder / "demo")
    server.close()


@pytest.fixture(scope="session")
def dataset(tmp_path_factory) -> Path:
    """The folder of a world of 200 pins."""
    folder = tmp_path_factory.mktemp("world") / "demo"
    write_demo(folder, num_pins=200, seed=0)
    return folder
