"""The consumer that travels with a release answers as the release does, with annoy, numpy and pyarrow alone."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from release_world import ReleaseWorld

from pinsage.release.release import Release

ALONE = ("annoy", "numpy", "numpy.libs", "pyarrow", "pyarrow.libs")


@pytest.fixture(scope="module", params=["exact", "index"])
def folder(request, tmp_path_factory) -> Path:
    """The folder of a release that is scanned, and of one whose index is asked."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "index":
            patch.setattr("pinsage.release.contents.EXACT_SCAN_PINS", 1)
        world = ReleaseWorld(tmp_path_factory.mktemp(request.param))
        return world.releases.folder(world.release(1))


@pytest.fixture(scope="module")
def bare(tmp_path_factory) -> Path:
    """A virtual environment that has nothing but the three libraries; they are linked to, since nothing is fetched."""
    environment = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    [packages] = environment.glob("lib/python*/site-packages")
    installed = Path(sysconfig.get_paths()["platlib"])
    for name in ALONE:
        if (installed / name).exists():
            (packages / name).symlink_to(installed / name)
    return environment / "bin" / "python"


def test_the_bare_environment_is_bare(bare):
    """Else the next test would show nothing."""
    for module in ("pinsage", "torch", "pandas"):
        assert (
            subprocess.run([bare, "-c", f"import {module}"], cwd="/", capture_output=True, check=False).returncode == 1
        )


@pytest.mark.parametrize("pin_id", ["pin-00000", "pin-00007", "pin-00059"])
def test_the_consumer_answers_as_the_release_does(bare, folder, pin_id):
    """In a folder of its own choice, as the README says."""
    command = [bare, "consumer.py", pin_id, "5"]
    answer = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    found = [line.split() for line in answer.stdout.splitlines()]
    expected = Release.open(folder, folder.name).related(pin_id, 5)
    assert [name for _, name in found] == expected.pin_ids
    assert [float(score) for score, _ in found] == pytest.approx(expected.scores, abs=1e-4)


def test_an_unknown_pin_is_one_sentence(bare, folder):
    """Not a traceback."""
    answer = subprocess.run([bare, "consumer.py", "nobody"], cwd=folder, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr == "No pin of this release has the pin_id 'nobody'. Take one of pins.parquet.\n"


def test_the_consumer_is_short():
    """As short as was promised: about twenty lines of code."""
    text = Path("pinsage/release/consumer.py").read_text(encoding="utf-8")
    code = [line for line in text.splitlines() if line.strip() and not line.strip().startswith(('"""', "#"))]
    assert len(code) <= 28
