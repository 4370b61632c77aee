"""Places where things break."""

import subprocess

import pytest


@pytest.fixture
def tiny_disk(tmp_path):
    """A folder on a file system of its own with room for 1 MB."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False)
    if mount.returncode:
        pytest.skip(f"a file system may not be mounted here ({mount.stderr.decode().strip()})")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)
