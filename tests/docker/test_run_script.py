"""docker/run.sh, which `make docker-run` calls, with a stand-in for Compose that runs the client's command here."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Knows the options that both `docker compose run` and docker-compose 1.29 have, and refuses others: the old client
# prints its usage then and ends with 0.
COMPOSE = """
import argparse, os, subprocess, sys
parser = argparse.ArgumentParser(allow_abbrev=False)
parser.add_argument("--rm", action="store_true")
parser.add_argument("-T", action="store_true")
parser.add_argument("-e", action="append", default=[])
parser.add_argument("--user")
parser.add_argument("--volume")
parser.add_argument("command", nargs=argparse.REMAINDER)
assert sys.argv[1] == "run"
given = parser.parse_args(sys.argv[2:])
service, program, *words = given.command
assert (service, program) == ("client", "pinsage"), given.command
if words[0] == "trigger":
    print(*words)
    sys.exit(0)
host, inside = given.volume.split(":")
words = [word.replace(inside, host, 1) if word.startswith(inside + "/") else word for word in words]
os.environ.update(pair.split("=", 1) for pair in given.e)
sys.exit(subprocess.call([sys.executable, "-m", "tasks.command_line.cli", *words, "--pins", "300"]))
"""


def run_script(data: Path, dataset: str) -> subprocess.CompletedProcess[str]:
    """Call run.sh over a folder of data sets."""
    environment = {**os.environ, "PINSAGE_DATA": str(data), "PYTHONPATH": str(ROOT)}
    environment.pop("PINSAGE_UMASK", None)
    compose = [sys.executable, "-c", COMPOSE]
    command = [str(ROOT / "docker" / "run.sh"), dataset, "", "train.steps=9", "--", *compose]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def test_the_demo_is_made_so_that_the_workers_can_read_it(data):
    """They run as another user than whoever called make; what `pinsage` writes is its owner's alone elsewhere."""
    done = run_script(data, "")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "trigger --dataset /data/demo --preset conf/demo.yaml --set train.steps=9"
    tables = sorted((data / "demo").glob("*.parquet"))
    assert len(tables) >= 3
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o044 == 0o044 for path in tables)
    assert stat.S_IMODE((data / "demo").stat().st_mode) & 0o055 == 0o055


def test_a_folder_below_the_data_is_named_as_the_workers_see_it(data):
    """They see the folder of data sets as /data."""
    (data / "mine").mkdir()
    done = run_script(data, str(data / "mine"))
    assert done.stdout == "trigger --dataset /data/mine --set train.steps=9\n"


def test_a_url_is_passed_on(data):
    """The object store of the deployment, or another one."""
    done = run_script(data, "s3://bucket/tables")
    assert done.stdout == "trigger --dataset s3://bucket/tables --set train.steps=9\n"


@pytest.mark.parametrize(("place", "words"), [("elsewhere", "is not below"), ("missing", "There is no folder")])
def test_a_folder_that_the_workers_do_not_see_is_refused(data, tmp_path, place, words):
    """Before anything is started, and with what to do."""
    (tmp_path / "elsewhere").mkdir()
    done = run_script(data, str(tmp_path / place))
    assert done.returncode == 2
    assert words in done.stderr
