"""Learn an embedding of every pin, and release the index that answers "which pins go with this one".

Every day at midnight UTC, and whenever it is triggered. Each task runs one stage as a subprocess and publishes an
artifact named by what made it: a retry is safe, and a run over unchanged data and settings makes nothing again.

* **Trigger form**: every setting with its bounds; it starts from the deployment's preset (`PINSAGE_CONFIG`).
* **A scheduled run or a backfill** sees the data as of the end of its data interval; a manual run sees all of it.
* **Results**: the task `report` publishes a page with pictures, `promote` says whether the model became champion,
  `release` where the serving team finds it; MLflow has one run per DAG run, with its id in the tag `pinsage.run_id`.
* **Approval**: with `promote.require_approval` the task `approve` waits for a person, under *Required Actions*.
* **Notices**: a task that failed for good, and a run that is late, are told to where `PINSAGE_NOTIFY` says.
* **Bad input or settings** fail at once with a sentence in the task's log; anything else is retried.
"""

import os
from datetime import timedelta

from airflow.sdk import DAG, Asset, CronTriggerTimetable
from approval_task import ApprovalTask
from notices import late_after, tell_failure, tell_lost_failure
from stage_task import StageTask, fail_experiment, tasks_before_training
from trigger_form import trigger_form

from pinsage.settings.loading import load_settings

CATALOG, MODEL, RELEASE = Asset("pinsage_catalog"), Asset("pinsage_model"), Asset("pinsage_release")

# Without a start date and with a short window, a fresh deployment waits for the next midnight instead of making up for
# the last one beside the run that somebody just triggered.
DAILY = CronTriggerTimetable(
    "0 0 * * *", timezone="UTC", interval=timedelta(days=1), run_immediately=timedelta(minutes=5)
)

with DAG(
    dag_id="train_pinsage",
    schedule=DAILY,
    catchup=False,
    max_active_runs=1,
    params=trigger_form(load_settings(os.environ.get("PINSAGE_CONFIG"))),
    default_args={"retries": 2, "retry_delay": timedelta(seconds=20), "on_failure_callback": tell_failure},
    on_failure_callback=[fail_experiment, tell_lost_failure],
    deadline=late_after(24),  # when the next one begins
    doc_md=__doc__,
    tags=["pinsage"],
):
    _, features = tasks_before_training(publishes=[CATALOG])
    train = StageTask(stage="train", publishes=[MODEL], limit=timedelta(hours=24), pool="gpu", queue="gpu")
    embed = StageTask(stage="embed", limit=timedelta(hours=6))
    index = StageTask(stage="index")
    evaluate = StageTask(stage="evaluate", limit=timedelta(hours=6))
    compare_days = StageTask(stage="compare_days")
    report = StageTask(stage="report")
    promote = StageTask(stage="promote", limit=timedelta(hours=6))
    approve = ApprovalTask()
    release = StageTask(stage="release", publishes=[RELEASE])

    features >> train >> embed >> [index, evaluate]
    index >> compare_days
    [compare_days, evaluate] >> report >> promote >> approve >> release
