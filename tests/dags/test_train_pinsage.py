"""The DAG is the stage table, drawn; every task can be retried, ends, and explains itself."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tasks.stages import STAGES

DAGS = Path(__file__).parents[2] / "dags"
HEAVY = "torch dask distributed mlflow gensim numba pandas".split()


def upstream_of(name, parents) -> set[str]:
    """Everything that must have ended before `name` starts."""
    direct = set(parents(name))
    return direct.union(*(upstream_of(parent, parents) for parent in direct))


def test_every_stage_is_a_task_and_nothing_else(dag):
    """One task per row of the table."""
    assert set(dag.task_ids) == set(STAGES)


@pytest.mark.parametrize("name", STAGES)
def test_a_task_waits_for_exactly_the_stages_it_reads_from(dag, name):
    """Directly or through others: the DAG draws the table without its shortcuts, and adds no waiting."""
    drawn = upstream_of(name, lambda task: dag.get_task(task).upstream_task_ids)
    assert drawn == upstream_of(name, lambda stage: STAGES[stage].inputs)


def test_no_edge_is_a_shortcut(dag):
    """The graph view shows the fewest arrows that say the same."""
    for task in dag.tasks:
        for parent in task.upstream_task_ids:
            others = task.upstream_task_ids - {parent}
            through = [upstream_of(other, lambda name: dag.get_task(name).upstream_task_ids) for other in others]
            assert not any(parent in above for above in through), (parent, task.task_id)


def test_the_dag_runs_daily_one_at_a_time_and_never_makes_up_for_the_past(dag):
    """The settings that keep runs from treading on each other."""
    assert dag.max_active_runs == 1
    assert dag.catchup is False
    assert "Trigger form" in dag.doc_md
    assert dag.on_failure_callback


@pytest.mark.parametrize("name", STAGES)
def test_every_task_retries_ends_and_is_documented(dag, name):
    """Explicit retries with a delay, a timeout, and help from the table."""
    task = dag.get_task(name)
    assert task.retries == 2
    assert task.retry_delay > timedelta(0)
    assert task.execution_timeout >= timedelta(hours=2)
    assert STAGES[name].summary in task.doc_md


def test_only_training_asks_for_the_gpu(dag):
    """One pool, one queue, one task."""
    assert [task.task_id for task in dag.tasks if task.pool == "gpu"] == ["train"]
    assert [task.task_id for task in dag.tasks if task.queue == "gpu"] == ["train"]


def test_catalog_model_and_release_are_assets(dag):
    """Other DAGs can wait for what this one makes."""
    outlets = {task.task_id: [asset.name for asset in task.outlets] for task in dag.tasks if task.outlets}
    assert outlets == {"ingest": ["pinsage_catalog"], "train": ["pinsage_model"], "release": ["pinsage_release"]}


def test_a_fresh_deployment_waits_for_the_next_midnight():
    """Nobody who just triggered a run finds a second one beside it; later, a missed day is made up for once."""
    from airflow.serialization.decoders import decode_timetable
    from airflow.serialization.encoders import encode_timetable
    from airflow.timetables.base import DataInterval, TimeRestriction
    from pendulum import instance
    from train_pinsage import DAILY

    timetable = decode_timetable(encode_timetable(DAILY))
    never = TimeRestriction(earliest=None, latest=None, catchup=False)
    now = datetime.now(UTC)
    if now.hour or now.minute >= 5:
        first = timetable.next_dagrun_info(last_automated_data_interval=None, restriction=never)
        assert first.run_after > now
    long_ago = instance(datetime(2020, 1, 1, tzinfo=UTC))
    last = DataInterval(start=long_ago.subtract(days=1), end=long_ago)
    missed = timetable.next_dagrun_info(last_automated_data_interval=last, restriction=never)
    assert timedelta(0) <= now - missed.run_after < timedelta(days=1)
    assert missed.data_interval.end - missed.data_interval.start == timedelta(days=1)


def test_parsing_loads_no_heavy_library():
    """What Airflow does every half minute must be cheap: beyond airflow itself, none of the giants is imported."""
    code = (
        "import sys, airflow.sdk; before = set(sys.modules); import train_pinsage\n"
        f"print([name for name in {HEAVY!r} if name in set(sys.modules) - before])"
    )
    environment = {**os.environ, "PYTHONPATH": str(DAGS)}
    out = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert out.stdout.strip().splitlines()[-1] == "[]"


def test_only_files_with_a_dag_are_read_as_such(dag_bag):
    """The others are told to Airflow in .airflowignore, or it would import each of them every half minute."""
    holders = {Path(dag.fileloc).name for dag in dag_bag.dags.values()}
    ignored = set((DAGS / ".airflowignore").read_text().split())
    assert ignored == {path.name for path in DAGS.glob("*.py")} - holders | {"plugins/"}


def test_reading_the_dags_again_makes_no_new_version(dag_bag, airflow_database):
    """Nothing in them depends on the time, and a deadline does not either."""
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.models.dag_version import DagVersion
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.session import create_session
    from sqlalchemy import func, select

    counts = []
    with create_session() as session:
        session.merge(DagBundleModel(name="read-again"))
    for _ in range(2):
        sync_bag_to_db(DagBag(dag_folder=DAGS), "read-again", None)
        with create_session() as session:
            counts.append(session.scalar(select(func.count()).select_from(DagVersion)))
    assert counts[0] == counts[1] >= len(dag_bag.dags)


def test_a_run_that_takes_until_the_next_one_is_late(dag):
    """A day after it was queued; a run by hand has no logical date."""
    [alert] = dag.deadline
    assert alert.interval == timedelta(days=1)
    assert alert.reference.reference_name == "DagRunQueuedAtDeadline"
