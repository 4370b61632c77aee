"""The DAG of comparisons, run by Airflow: variants and seeds as mapped tasks, each a run of its own."""

import pytest
from airflow.utils.state import DagRunState, TaskInstanceState
from test_dag_run import SMALL

from pinsage.datasets.demo.world import write_demo
from pinsage.store.deployment import open_store
from pinsage.tracking.tracker import open_tracker
from tasks.comparing.plan import LAST_STAGE, needed_for


@pytest.fixture(scope="module")
def compare_dag(dag_bag):
    """The DAG, as Airflow's own loader sees it."""
    return dag_bag.dags["compare_pinsage"]


@pytest.fixture(scope="module")
def compared(compare_dag, airflow_database, tmp_path_factory):
    """A run of two variants from two seeds, one of which cannot be trained."""
    folder = tmp_path_factory.mktemp("compare") / "demo"
    write_demo(folder, num_pins=600, seed=0)
    variants = {"mean": {"model.pooling": "mean"}, "broken": {"train.device": "cuda"}}
    asked = {"comparison.ladder": None, "comparison.variants": variants, "comparison.seeds": [0, 1]}
    return compare_dag.test(run_conf={**SMALL, **asked, "data.dataset": str(folder)})


def test_the_upstream_stages_are_those_before_the_training(compare_dag):
    """They run once, and what they need is drawn as in `train_pinsage`."""
    stages = needed_for(LAST_STAGE)
    assert set(compare_dag.task_ids) == {"plan", *stages[: stages.index("train")], "variant", "summarize"}
    assert compare_dag.get_task("variant").pool == "gpu"


def test_every_variant_and_seed_is_a_mapped_task_and_those_that_fail_stop_no_other(compared):
    """The summary waits for all of them."""
    tasks = [task for task in compared.get_task_instances() if task.task_id == "variant"]
    assert {task.map_index: task.state for task in tasks} == {
        **dict.fromkeys(range(2), TaskInstanceState.SUCCESS),
        **dict.fromkeys(range(2, 4), TaskInstanceState.FAILED),
    }
    assert [task.rendered_map_index for task in sorted(tasks, key=lambda task: task.map_index)[:2]] == [
        "mean, seed 0",
        "mean, seed 1",
    ]
    assert compared.state == DagRunState.SUCCESS


def test_mlflow_has_a_run_for_the_comparison_and_one_below_it_for_each_that_ended(compared, home):
    """Each once, with its figures; the summary is above them and none is left running."""
    run = open_store(home).runs.open(compared.run_id)
    tracker = open_tracker(run.settings, home, run.run_id)
    client, experiment = tracker.server.client, tracker.server.experiment_id
    [above] = client.search_runs([experiment], f"tags.`pinsage.run_id` = '{run.run_id}'")
    below = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{above.info.run_id}'")
    states = {found.info.run_name: found.info.status for found in below}
    assert states == {
        **dict.fromkeys(("mean, seed 0", "mean, seed 1"), "FINISHED"),
        **dict.fromkeys(("broken, seed 0", "broken, seed 1"), "FAILED"),
    }
    assert all("hit_rate_at_10/test/pinsage" in found.data.metrics or found.info.status == "FAILED" for found in below)
    parameters = {found.info.run_name: found.data.params for found in below}
    assert parameters["mean, seed 1"] == {"variant": "mean", "seed": "1", "model.pooling": "mean"}
    assert len(above.data.params) > 50
    assert above.info.status == "FINISHED"
    assert "'broken', seed 0 has no figures" in above.data.tags["mlflow.note.content"]
    files = {file.path for file in client.list_artifacts(above.info.run_id)}
    assert {"comparison.html", "comparison.md", "comparison.parquet", "comparison_slices.parquet"} <= files


def test_what_cannot_be_compared_fails_before_anything_runs(compare_dag, airflow_database, tmp_path):
    """A variant that is no setting: the plan fails at its first attempt, nothing after it starts."""
    asked = {"comparison.ladder": None, "comparison.variants": {"odd": {"model.no_such": 1}}}
    run = compare_dag.test(run_conf={**SMALL, **asked, "data.dataset": str(tmp_path)})
    states = {task.task_id: (task.state, task.try_number) for task in run.get_task_instances()}
    assert run.state == DagRunState.FAILED
    assert states["plan"] == (TaskInstanceState.FAILED, 1)
    assert {state for name, (state, _) in states.items() if name != "plan"} == {TaskInstanceState.UPSTREAM_FAILED}
