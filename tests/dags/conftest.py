"""An Airflow of the tests' own: a temporary AIRFLOW_HOME, set before anything imports airflow."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DAGS = ROOT / "dags"
PLACE = tempfile.TemporaryDirectory(prefix="pinsage-airflow-", ignore_cleanup_errors=True)

for name in [name for name in os.environ if name.startswith(("AIRFLOW", "PINSAGE"))]:
    del os.environ[name]
os.environ |= {
    "AIRFLOW_HOME": f"{PLACE.name}/airflow",
    "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{PLACE.name}/airflow.db",
    "PINSAGE_HOME": f"{PLACE.name}/pinsage",
}
sys.path.insert(0, str(DAGS))


@pytest.fixture(scope="session")
def home() -> Path:
    """The data folder that the DAG's tasks use in these tests."""
    return Path(os.environ["PINSAGE_HOME"])


@pytest.fixture(scope="session")
def dag_bag():
    """All DAGs, as Airflow's own loader sees them."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=DAGS)
    assert bag.import_errors == {}
    return bag


@pytest.fixture(scope="session")
def dag(dag_bag):
    """The DAG that trains."""
    return dag_bag.dags["train_pinsage"]


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """The tables that `dag.test()` needs."""
    from airflow.utils.db import initdb

    initdb()
