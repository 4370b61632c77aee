"""Take the model that serves to the newest tables, and release what comes out: no training.

Every hour, whenever another DAG says that it wrote the tables (the Asset `pinsage_tables`), and whenever it is
triggered. It begins paused; let it go once a first `train_pinsage` has released a model.

* **The model** is that of the release that serves when the run begins. A pin that it does not know has its pictures,
  its words and what its saves say.
* **Trigger form**: the data set (empty: that of the training), up to when, and how much may change.
* **The gate** stops a refresh that would change too many of the related pins; the release that serves goes on serving.
* **After a rollback** pause this DAG: it would release newer tables with the same model.
"""

import os
from datetime import timedelta

from airflow.sdk import DAG, Asset, AssetOrTimeSchedule, CronTriggerTimetable
from notices import tell_failure, tell_lost_failure
from stage_task import StageTask, tasks_before_training
from trigger_form import refresh_form

from pinsage.settings.loading import load_settings

TABLES, RELEASE = Asset("pinsage_tables"), Asset("pinsage_release")

with DAG(
    dag_id="refresh_embeddings",
    schedule=AssetOrTimeSchedule(timetable=CronTriggerTimetable("0 * * * *", timezone="UTC"), assets=[TABLES]),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    params=refresh_form(load_settings(os.environ.get("PINSAGE_CONFIG"))),
    default_args={
        "retries": 2,
        "retry_delay": timedelta(seconds=20),
        "on_failure_callback": tell_failure,
        "refresh": True,
    },
    on_failure_callback=tell_lost_failure,
    doc_md=__doc__,
    tags=["pinsage"],
):
    _, features = tasks_before_training()
    train = StageTask(stage="train")
    embed = StageTask(stage="embed", limit=timedelta(hours=6))
    index = StageTask(stage="index")
    gate = StageTask(stage="gate")
    release = StageTask(stage="release", publishes=[RELEASE])

    features >> train >> embed >> index >> gate >> release
