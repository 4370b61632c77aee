"""Remove what is old and what nothing needs from the store: runs, artifacts, scratch folders, releases.

Every night, and whenever it is triggered. `PINSAGE_KEEP_DAYS` (30), `PINSAGE_KEEP_RUNS` (30) and `PINSAGE_GRACE_HOURS`
(48) of the workers say what stays. Whatever they say, all of it stays that a kept run, a registered model with an
alias, a release or a running stage needs.

* **Trigger form**: `dry_run` lists in the log what would go and why, and removes nothing.
"""

import shlex
import sys
from datetime import timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, CronTriggerTimetable, Param
from notices import tell_failure, tell_lost_failure
from stage_task import HOME

from tasks.running.launch import ROOT

COMMAND = shlex.join([sys.executable, "-m", "tasks.command_line.cli", "store", "prune", "--home", str(HOME)])

# As of train_pinsage: a fresh deployment waits for the next night.
NIGHTLY = CronTriggerTimetable("30 3 * * *", timezone="UTC", run_immediately=timedelta(minutes=5))

with DAG(
    dag_id="prune_store",
    schedule=NIGHTLY,
    catchup=False,
    max_active_runs=1,
    params={"dry_run": Param(False, type="boolean", description="List what would go, remove nothing.")},
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5), "on_failure_callback": tell_failure},
    on_failure_callback=tell_lost_failure,
    doc_md=__doc__,
    tags=["pinsage"],
):
    prune = BashOperator(
        task_id="prune",
        bash_command=COMMAND + "{{ ' --dry-run' if params.dry_run else '' }}",
        cwd=str(ROOT),
        execution_timeout=timedelta(hours=6),
        doc_md="Code: `tasks/command_line/retention.py`, which `pinsage store prune` runs in a shell, too.",
    )
