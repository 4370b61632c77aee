"""`python tests/standalone/kill_airflow.py [--rounds 10]`: kill parts of a real Airflow in the middle of trainings.

It needs a deployment that `make run DATASET=...` has left running (3,000 pins are enough), with its PINSAGE_HOME and
its ports. In each round three runs train anew; at a random moment of the training a SIGKILL meets the task, in the next
run its supervisor, in the third the scheduler, which is started again as `make run` would. Each run has to end green,
with one MLflow run that is finished, no draft and no process left. A line of JSON per run; each takes about a minute,
and it is no part of the test suite.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import psutil

from pinsage.settings.loading import load_settings
from pinsage.store.deployment import open_store
from pinsage.store.drafts import STAGING
from pinsage.tracking.server import Server
from pinsage.tracking.tracker import RUN_TAG
from tasks.following.airflow_api import DAG_ID, AirflowApi
from tasks.standalone.deployment import Deployment
from tasks.standalone.services import Service, airflow_services

QUICK = {
    "evaluate.methods": ["popularity"],
    "text.dim": 8,
    "spectral.dim": 16,
    "walk.num_neighbors": 10,
    "walk.num_hard_negatives": 10,
    "train.steps": 60,
    "train.batch_size": 256,
    "train.checkpoint_every": 10,
}
STAGE, LATEST_S, LIMIT_S = "train", 10.0, 900.0
# A dead supervisor is noticed by its silence: after five minutes, if nothing else is said.
SILENCE = {"AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
           "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5"}  # fmt: skip


class StandaloneAirflow:
    """The Airflow of a deployment on this machine, and what it leaves."""

    def __init__(self, deployment: Deployment) -> None:
        user = deployment.login.user if deployment.asks_for_login else None
        self.api, self._home = AirflowApi(deployment.airflow_url, DAG_ID, user), deployment.home
        self.scheduler = _patient(
            next(each for each in airflow_services(deployment) if each.name == "airflow-scheduler")
        )

    def restart_scheduler(self) -> None:
        """Kill the scheduler, its children left to themselves, and start another one."""
        process = self.scheduler.process()
        process.kill()
        process.wait()
        time.sleep(2)
        self.scheduler.start()

    def stage(self, run_id: str) -> psutil.Process:
        """The process of the stage, once it is there."""
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            for process in psutil.process_iter(["cmdline"]):
                words = process.info["cmdline"] or []
                if STAGE in words and run_id in words:
                    return process
            if self.api.run(run_id).has_ended:
                break
            time.sleep(0.2)
        raise SystemExit(f"{STAGE} of {run_id} did not begin.")

    def end(self, run_id: str) -> str:
        """The state in which a run ends."""
        deadline = time.monotonic() + LIMIT_S
        while not (state := self.api.run(run_id)).has_ended:
            if time.monotonic() > deadline:
                return "does not end"
            time.sleep(1)
        return str(state.state)

    def left(self, run_id: str) -> dict[str, Any]:
        """What a run has left: drafts, processes, the states of its MLflow runs; its training was verified."""
        store, database = open_store(self._home), f"sqlite:///{self._home}/mlflow/mlflow.db"
        store.artifacts.open(STAGE, store.runs.open(run_id).result(STAGE).key)
        server = Server(load_settings(overrides={"tracking.uri": database}).tracking, self._home)
        found = server.client.search_runs([server.experiment_id], f"tags.`{RUN_TAG}` = '{run_id}'")
        named = [process for process in psutil.process_iter(["cmdline"]) if run_id in (process.info["cmdline"] or [])]
        return {
            "drafts": len([*store.home.rglob(f"{STAGING}*")]),
            "processes": len(named),
            "mlflow": [run.info.status for run in found],
        }


def _patient(scheduler: Service) -> Service:
    return replace(scheduler, environment={**scheduler.environment, **SILENCE})


KILLS: dict[str, Callable[[StandaloneAirflow, psutil.Process], None]] = {
    "task": lambda airflow, stage: stage.parent().kill(),
    "supervisor": lambda airflow, stage: stage.parent().parent().kill(),
    "scheduler": lambda airflow, stage: airflow.restart_scheduler(),
}


def perform(airflow: StandaloneAirflow, name: str, number: int, rng: Random) -> dict[str, Any]:
    """One run, a kill in its training, and the outcome."""
    began = time.monotonic()
    while True:
        run_id, moment = f"kill__{name}__{number}__{int(time.time())}", rng.uniform(0, LATEST_S)
        airflow.api.trigger(run_id, {**QUICK, "train.seed": int(time.time())})
        stage = airflow.stage(run_id)
        time.sleep(moment)
        if stage.is_running():
            break
        airflow.end(run_id)  # it was faster; another run, and another moment
    KILLS[name](airflow, stage)
    state = airflow.end(run_id)
    attempts = {task.name: task.attempt for task in airflow.api.tasks(run_id).values() if task.attempt > 1}
    return {
        "kill": name, "after_s": round(moment, 1), "state": state, "attempts": attempts,
        "seconds": round(time.monotonic() - began), **airflow.left(run_id),
    }  # fmt: skip


def main() -> int:
    """The exit code: 0 if every run ended green, published once, and left nothing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    airflow, failures, rng = StandaloneAirflow(Deployment.from_environment(os.environ)), 0, Random(0)
    airflow.restart_scheduler()  # with a short patience
    for number in range(parser.parse_args().rounds):
        for name in ("task", "supervisor", "scheduler"):
            outcome = perform(airflow, name, number, rng)
            is_well = (outcome["state"], outcome["drafts"], outcome["processes"], outcome["mlflow"]) == (
                "success", 0, 0, ["FINISHED"],
            )  # fmt: skip
            failures += not is_well
            sys.stdout.write(json.dumps({"ok": is_well, **outcome}) + "\n")
            sys.stdout.flush()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
