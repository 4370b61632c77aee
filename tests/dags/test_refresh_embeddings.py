"""The DAG that refreshes is the table of its stages, drawn; it trains nothing and waits for somebody to let it go."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from airflow.sdk import ParamsDict
from airflow.sdk.api.datamodels._generated import DagRunType
from stage_task import StageTask
from trigger_form import REFRESHED, chosen

from tasks.running.launch import StageProcess
from tasks.stages import REFRESH_STAGES


@pytest.fixture(scope="module")
def refresh(dag_bag):
    """The DAG, as Airflow's own loader sees it."""
    return dag_bag.dags["refresh_embeddings"]


def upstream_of(name, parents) -> set[str]:
    """Everything that must have ended before `name` starts."""
    direct = set(parents(name))
    return direct.union(*(upstream_of(parent, parents) for parent in direct))


def test_every_stage_of_a_refresh_is_a_task_and_nothing_else(refresh):
    """No evaluation, no report, no promotion."""
    assert set(refresh.task_ids) == set(REFRESH_STAGES)


@pytest.mark.parametrize("name", REFRESH_STAGES)
def test_a_task_waits_for_exactly_the_stages_it_reads_from(refresh, name):
    """Directly or through others."""
    drawn = upstream_of(name, lambda task: refresh.get_task(task).upstream_task_ids)
    assert drawn == upstream_of(name, lambda stage: REFRESH_STAGES[stage].inputs)


def test_it_runs_hourly_or_when_the_tables_were_written_and_begins_paused(refresh):
    """One run at a time, none for the past."""
    assert refresh.timetable.timetable.expression == "0 * * * *"
    assert [asset.name for asset in refresh.timetable.asset_condition.objects] == ["pinsage_tables"]
    assert (refresh.max_active_runs, refresh.catchup, refresh.is_paused_upon_creation) == (1, False, True)
    assert {task.task_id for task in refresh.tasks if task.outlets} == {"release"}


@pytest.mark.parametrize("name", REFRESH_STAGES)
def test_every_task_retries_ends_and_is_documented(refresh, name):
    """On no GPU; the page of a task names the code that it runs."""
    task = refresh.get_task(name)
    assert (task.retries, task.pool, task.queue) == (2, "default_pool", "default")
    assert task.execution_timeout >= timedelta(hours=2)
    assert REFRESH_STAGES[name].summary in task.doc_md
    assert ("`tasks/adopt.py`" in task.doc_md) == (name == "train")


def test_its_tasks_ask_for_the_model_that_serves(refresh, monkeypatch):
    """The settings of the form go along, and nothing that the model has decided."""
    commands: list = []
    report = {"stage": "walk", "key": "k", "seconds": 1.0, "reused": False}
    monkeypatch.setattr(StageProcess, "run", lambda process, on_line: commands.append(process._command) or report)
    import refresh_embeddings

    params = {**ParamsDict(refresh_embeddings.refresh_form(refresh_embeddings.load_settings())).dump()}
    context = {
        "dag": SimpleNamespace(dag_id="refresh_embeddings"),
        "dag_run": SimpleNamespace(run_type=DagRunType.MANUAL, data_interval_end=None),
        "params": params,
        "run_id": "r1",
        "ti": SimpleNamespace(log_url="http://127.0.0.1:8080/dags/refresh_embeddings/runs/r1/tasks/pair?try_number=1"),
    }
    pair = refresh.get_task("pair")
    pair.execute(context)
    assert isinstance(pair, StageTask)
    assert commands[0].argv()[-1] == "--refresh"
    assert set(params) == set(REFRESHED)
    assert commands[0].settings == chosen(params) == {"refresh.max_churn": 0.3, "refresh.held_out_saves": False}
