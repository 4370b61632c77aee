"""The DAG itself, run by Airflow: every task a real subprocess, on a small demo world."""

import json

import pytest
from airflow.utils.state import DagRunState, TaskInstanceState

from pinsage.datasets.demo.world import write_demo
from pinsage.store.deployment import open_store
from tasks.stages import REFRESH_STAGES, STAGES

SMALL = {
    "text.dim": 16,
    "walk.num_neighbors": 5,
    "walk.num_walks": 50,
    "walk.hard_negative_walks": 50,
    "model.hidden_dim": 16,
    "model.embedding_dim": 8,
    "train.steps": 20,
    "train.batch_size": 64,
    "train.num_negatives": 50,
    "train.num_threads": 1,
    "evaluate.combined_steps": 10,
    "evaluate.pixie_walks": 100,
    "index.target_recall": 0.0,
    "cluster.num_workers": 1,
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The folder of a demo world of 600 pins."""
    folder = tmp_path_factory.mktemp("dag_run") / "demo"
    write_demo(folder, num_pins=600, seed=0)
    return folder


@pytest.fixture(scope="module")
def run(dag, airflow_database, world):
    """A run of the DAG that trains, at its end."""
    # `dag.test()` of Airflow 3.3 cannot end a run well that has a deadline; its scheduler can.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dag, "deadline", None)
        return dag.test(run_conf={**SMALL, "data.dataset": str(world)})


def test_a_run_of_the_dag_is_green_and_its_xcoms_are_small(run, home):
    """Every task succeeds, leaves a report of at most 4 KiB, and the run's record has all stages."""
    tasks = {task.task_id: task for task in run.get_task_instances()}
    assert run.state == DagRunState.SUCCESS
    assert {task.state for task in tasks.values()} == {TaskInstanceState.SUCCESS}
    reports = {name: task.xcom_pull(task_ids=name) for name, task in tasks.items()}
    assert {name: report["stage"] for name, report in reports.items()} == {name: name for name in STAGES}
    assert max(len(json.dumps(report)) for report in reports.values()) <= 4096
    assert set(open_store(home).runs.open(run.run_id).results()) == set(STAGES)


def test_a_refresh_is_green_and_uses_the_model_that_serves(run, dag_bag, world, home):
    """Over the same tables it makes nothing anew, and finds that it was released."""
    refreshed = dag_bag.dags["refresh_embeddings"].test(run_conf={"refresh.max_churn": 0.1})
    record = open_store(home).runs.open(refreshed.run_id)
    assert refreshed.state == DagRunState.SUCCESS
    assert (record.model_run, record.settings.data.dataset) == (run.run_id, str(world))
    assert set(record.results()) == set(REFRESH_STAGES)
    assert "was released before" in record.result("release").facts["reason"]


def test_bad_input_fails_the_first_task_without_a_retry(dag, airflow_database, tmp_path):
    """A folder without tables: ingest fails at its first attempt and nothing after it starts."""
    run = dag.test(run_conf={**SMALL, "data.dataset": str(tmp_path)})
    states = {task.task_id: (task.state, task.try_number) for task in run.get_task_instances()}
    assert run.state == DagRunState.FAILED
    assert states["ingest"] == (TaskInstanceState.FAILED, 1)
    assert {state for name, (state, _) in states.items() if name != "ingest"} == {TaskInstanceState.UPSTREAM_FAILED}
