"""`python tests/docker/faults.py [CASE...]`: break a part of a deployment that is up, in the middle of a run.

Start it with `make docker-up`, and put a small data set into docker/data/small (`pinsage demo-data docker/data/small
--pins 3000`). A crash is a SIGKILL from the host to the container's first process, so that Docker's restart policy acts
as it would. Each case prints one line of JSON: did the run end green, with which attempts, was the stage published
once, has MLflow one finished run. It takes minutes per case and is no part of the test suite.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

from tasks.following.airflow_api import DAG_ID, AirflowApi, AirflowApiError, User

ROOT = Path(__file__).parents[2]
PROJECT = os.environ.get("COMPOSE_PROJECT_NAME", "pinsage")
MLFLOW = f"http://127.0.0.1:{os.environ.get('PINSAGE_MLFLOW_PORT', '5000')}/api/2.0/mlflow"
QUICK = {
    "data.dataset": "/data/small",
    "evaluate.methods": ["popularity"],
    "text.dim": 8,
    "spectral.dim": 16,
    "walk.num_neighbors": 10,
    "walk.num_hard_negatives": 10,
    "train.steps": 150,
    "train.batch_size": 512,
    "train.checkpoint_every": 10,
}
LIMIT_S = 1500.0


def _secrets(name: str) -> dict[str, str]:
    text = (ROOT / "docker" / "secrets" / f"{name}.env").read_text(encoding="utf-8")
    return dict(line.split("=", 1) for line in text.splitlines())


class Deployment:
    """The running deployment: its containers, its Airflow, its MLflow."""

    def __init__(self) -> None:
        password = _secrets("users")["PINSAGE_OPERATOR_PASSWORD"]
        client = _secrets("mlflow-client")
        self.mlflow = requests.Session()
        self.mlflow.auth = (client["MLFLOW_TRACKING_USERNAME"], client["MLFLOW_TRACKING_PASSWORD"])
        url = f"http://127.0.0.1:{os.environ.get('PINSAGE_AIRFLOW_PORT', '8080')}"
        self.api = AirflowApi(url, DAG_ID, User("operator", password))

    def container(self, service: str) -> str:
        """The id of the first container of a service."""
        labels = (f"com.docker.compose.project={PROJECT}", f"com.docker.compose.service={service}")
        filters = [word for label in labels for word in ("--filter", f"label={label}")]
        return docker("ps", "--all", "--quiet", *filters).splitlines()[0]

    def variable(self, service: str, name: str) -> str:
        """A variable of the environment of a service's first container."""
        return docker("exec", self.container(service), "printenv", name)

    def received(self, service: str, since: float) -> int:
        """How many tasks a Celery worker has taken from its queue since a time."""
        command = ["docker", "logs", "--since", f"{since:.0f}", self.container(service)]
        log = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout
        return len(re.findall(r"Task execute_workload\[\S+\] received", log))

    def crash(self, service: str) -> None:
        """Kill a service's first process as the kernel would; Docker starts it again."""
        os.kill(int(docker("inspect", "--format", "{{.State.Pid}}", self.container(service))), signal.SIGKILL)

    def take_away(self, service: str, seconds: float) -> None:
        """Have a service gone for a while."""
        docker("kill", self.container(service))
        time.sleep(seconds)
        docker("start", self.container(service))

    def restart(self, service: str) -> None:
        """Restart a service in an orderly way."""
        docker("restart", self.container(service))

    def wait_for(self, run_id: str, stage: str, state: str, *, attempt: int = 1) -> None:
        """Return once a stage is in a state, in that attempt or a later one."""
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            task = self._patiently(lambda: self.api.tasks(run_id)).get(stage)
            if task and task.state == state and task.attempt >= attempt:
                return
            if self._patiently(lambda: self.api.run(run_id)).has_ended:
                break
            time.sleep(1)
        raise SystemExit(f"{stage} of {run_id} was not {state} before the run ended, or within {LIMIT_S:.0f} s.")

    def end(self, run_id: str) -> str:
        """The state in which a run ends."""
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            state = self._patiently(lambda: self.api.run(run_id))
            if state.has_ended:
                return str(state.state)
            time.sleep(2)
        return "does not end"

    def published(self, run_id: str, stage: str) -> dict[str, int]:
        """How many manifests and attempts of a stage's artifact lie in the store."""
        key = self.api.report(run_id, stage).get("key", "none")
        code = (
            "import fsspec, os; root = os.environ['PINSAGE_STORE'] + '/artifacts/" + f"{stage}/{key}'; "
            "names = fsspec.url_to_fs(root)[0].ls(root, detail=False); "
            "print(sum(name.endswith('manifest.json') for name in names), len(names) - 1)"
        )
        manifests, attempts = docker("exec", self.container("dask-worker"), "python", "-c", code).split()
        return {"manifests": int(manifests), "attempts_left": int(attempts)}

    def mlflow_states(self, run_id: str) -> list[str]:
        """The states of the MLflow runs that belong to a run."""
        found = self.mlflow.post(f"{MLFLOW}/experiments/search", json={"max_results": 100}, timeout=60).json()
        ids = [experiment["experiment_id"] for experiment in found.get("experiments", [])]
        body = {"experiment_ids": ids, "filter": f"tags.`pinsage.run_id` = '{run_id}'"}
        answer = self.mlflow.post(f"{MLFLOW}/runs/search", json=body, timeout=60).json()
        return [run["info"]["status"] for run in answer.get("runs", [])]

    def _patiently(self, ask: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + 300
        while True:
            try:
                return ask()
            except AirflowApiError:
                if time.monotonic() > deadline:
                    raise


def docker(*words: str) -> str:
    """What a docker command prints."""
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True).stdout.strip()


def worker_gpu_twice(deployment: Deployment, run_id: str) -> None:
    """Crash the GPU worker in the training, and again in its second attempt."""
    for attempt in (1, 2):
        deployment.wait_for(run_id, "train", "running", attempt=attempt)
        time.sleep(15)
        deployment.crash("worker-gpu")


def redelivered(deployment: Deployment, run_id: str) -> None:
    """Let the broker's timeout pass three times in one training; start with PINSAGE_VISIBILITY_TIMEOUT_S=20."""
    began = time.time()
    timeout = float(deployment.variable("worker-gpu", "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT"))
    deployment.wait_for(run_id, "train", "success")
    seconds = deployment.api.tasks(run_id)["train"].seconds
    if seconds < 3 * timeout:
        raise SystemExit(f"The training took {seconds:.0f} s, and no message is given again before {timeout:.0f} s.")
    if (received := deployment.received("worker-gpu", began)) != 1:
        raise SystemExit(f"The training of {seconds:.0f} s was handed out {received} times.")


def during(stage: str, action: Callable[[Deployment], None], seconds: float = 5) -> Callable[[Deployment, str], None]:
    """Do something a few seconds after a stage has begun."""

    def fault(deployment: Deployment, run_id: str) -> None:
        deployment.wait_for(run_id, stage, "running")
        time.sleep(seconds)
        action(deployment)

    return fault


CASES: dict[str, tuple[str, Callable[[Deployment, str], None]]] = {
    "nothing": ("train", lambda deployment, run_id: None),
    "worker-gpu twice": ("train", worker_gpu_twice),
    "default worker": ("walk", during("walk", lambda it: it.crash("worker"))),
    "dask-worker": ("walk", during("walk", lambda it: it.crash("dask-worker"))),
    "dask-scheduler": ("walk", during("walk", lambda it: it.crash("dask-scheduler"))),
    "scheduler": ("train", during("train", lambda it: it.crash("scheduler"))),
    "triggerer": ("train", during("train", lambda it: it.crash("triggerer"))),
    "redis": ("train", during("train", lambda it: it.crash("redis"))),
    "postgres restarted": ("train", during("train", lambda it: it.restart("postgres"))),
    "object store away for 20 s": ("walk", during("walk", lambda it: it.take_away("object-store", 20))),
    "api-server": ("train", during("train", lambda it: it.crash("api-server"))),
    "redelivery": ("train", redelivered),
    "dag-processor": ("train", during("train", lambda it: it.crash("dag-processor"))),
}


def perform(name: str, deployment: Deployment, seed: int) -> dict[str, Any]:
    """One case: a run that must make its stage anew, the fault, the outcome."""
    stage, fault = CASES[name]
    run_id = f"fault__{name.replace(' ', '-')}__{datetime.now(UTC):%Y%m%dT%H%M%S}"
    slow = {"walk.seed": seed, "walk.method": "walks", "walk.num_walks": 20_000} if stage == "walk" else {}
    slow |= {"train.steps": 1200} if name == "redelivery" else {}
    started = time.monotonic()
    deployment.api.unpause()
    deployment.api.trigger(run_id, {**QUICK, **slow, "train.seed": seed})
    fault(deployment, run_id)
    state = deployment.end(run_id)
    attempts = {task.name: task.attempt for task in deployment.api.tasks(run_id).values() if task.attempt > 1}
    return {
        "case": name,
        "state": state,
        "seconds": round(time.monotonic() - started),
        "attempts": attempts,
        "published": deployment.published(run_id, stage),
        "mlflow": deployment.mlflow_states(run_id),
    }


def main(names: list[str]) -> int:
    """The exit code: 0 if every case ended green, published once, with one finished MLflow run."""
    deployment, failures = Deployment(), 0
    for name in names or CASES:
        outcome = perform(name, deployment, int(time.time()) % 2**31)
        once = outcome["published"] == {"manifests": 1, "attempts_left": 1} and outcome["mlflow"] == ["FINISHED"]
        failures += outcome["state"] != "success" or not once
        sys.stdout.write(json.dumps({"ok": outcome["state"] == "success" and once, **outcome}) + "\n")
        sys.stdout.flush()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
