"""The DAG that prunes: the command of the shell, on the store of the deployment."""

import os

import pytest

from pinsage.store.deployment import open_store
from pinsage.store.manifest import Manifest


@pytest.fixture
def old_artifact(home, monkeypatch):
    """An artifact that no run needs, in a deployment that keeps nothing: its folder."""
    for name, value in (("KEEP_DAYS", "0"), ("KEEP_RUNS", "0"), ("GRACE_HOURS", "1")):
        monkeypatch.setenv(f"PINSAGE_{name}", value)
    artifacts = open_store(home).artifacts
    with artifacts.publish(Manifest("walk", "an-old-key", 1, {}, {}, {}, "0")) as draft:
        (draft.folder / "a.txt").write_text("old")
    folder = artifacts.folder("walk", "an-old-key")
    for path in (*folder.iterdir(), folder):
        os.utime(path, (0, 0))
    return folder


def test_it_begins_by_itself_every_night(dag_bag):
    """With one task, one run at a time, and a form that can ask for a list alone."""
    dag = dag_bag.dags["prune_store"]
    assert dag.task_ids == ["prune"]
    assert dag.max_active_runs == 1
    assert not dag.catchup
    assert dag.params.dump() == {"dry_run": False}


def test_it_removes_what_nothing_needs(dag_bag, airflow_database, old_artifact):
    """A dry run removes nothing; the same without it does."""
    dag = dag_bag.dags["prune_store"]
    assert dag.test(run_conf={"dry_run": True}).state == "success"
    assert old_artifact.exists()
    assert dag.test(run_conf={"dry_run": False}).state == "success"
    assert not old_artifact.exists()
