"""MLflow's server begins with a whole database."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COUNT = (
    "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM experiments').fetchone())"
)


@pytest.mark.parametrize("is_there", [False, True])
def test_the_command_takes_the_place_of_the_process_when_the_database_is_there(tmp_path, is_there):
    """One that is there already stays as it is."""
    database = tmp_path / "mlflow.db"
    if is_there:
        with closing(sqlite3.connect(database)) as made:
            made.execute("CREATE TABLE experiments (a)")
    command = [sys.executable, "-c", COUNT, str(database)]
    done = subprocess.run(
        [sys.executable, "-m", "tasks.standalone.mlflow_server", str(database), *command],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == ("(0,)\n" if is_there else "(1,)\n")
