"""Train variants of the settings side by side, from several seeds each, and say which is better.

Triggered by hand. The stages before the training run once; then every variant and seed is a mapped task in the pool
`gpu` and a run of its own, which is reused where it was made before. No model is promoted or released.

* **Trigger form**: a ladder of variants, variants of your own, the seeds, and below them the settings that all share.
* **Results**: MLflow has a run for the comparison and one below it for every variant and seed. `summarize` puts them
  side by side in `comparison.html`, `.md` and `.parquet`: the mean and standard deviation over the seeds, and each
  variant's lead over the first one with its interval over the same queries.
* **A variant that fails** is named in the summary; the others go on.
"""

import os
from datetime import timedelta

from airflow.sdk import DAG
from compared_runs import ComparedRun, PlanTask, SummaryTask, comparison_form
from notices import tell_failure, tell_lost_failure
from stage_task import fail_experiment, tasks_before_training
from trigger_form import trigger_form

from pinsage.settings.loading import load_settings

with DAG(
    dag_id="compare_pinsage",
    schedule=None,
    max_active_runs=1,
    params={**comparison_form(), **trigger_form(load_settings(os.environ.get("PINSAGE_CONFIG")))},
    default_args={"retries": 2, "retry_delay": timedelta(seconds=20), "on_failure_callback": tell_failure},
    on_failure_callback=[fail_experiment, tell_lost_failure],
    doc_md=__doc__,
    tags=["pinsage"],
):
    plan = PlanTask(task_id="plan")
    ingest, features = tasks_before_training()
    variant = ComparedRun.partial(
        task_id="variant",
        pool="gpu",
        queue="gpu",
        execution_timeout=timedelta(hours=24),
        map_index_template="{{ label }}",
        on_failure_callback=[],  # the summary names those that failed, all at once
    ).expand(planned=plan.output)
    summarize = SummaryTask(
        task_id="summarize", trigger_rule="all_done_min_one_success", execution_timeout=timedelta(hours=2)
    )

    plan >> ingest
    features >> variant >> summarize
