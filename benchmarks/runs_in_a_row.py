"""Memory, open files, threads and disk of a deployment over many runs of the DAG: do they stay flat?

    make run                                                # or a deployment that is up, with its PINSAGE_HOME
    python benchmarks/runs_in_a_row.py [--runs 50] [--train-every 5] [--set train.steps=30] [--json raw.json]

Runs follow one another through Airflow's API, with the settings of the deployment. Every fifth trains anew, from a seed
of its own; the others find everything made, as a daily run over unchanged tables does. After each run the processes
that `make run` keeps going are looked at, each with its children: memory that is theirs alone (USS), open files,
threads; and the folders of the data folder. Printed are medians of the first and the last ten runs.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import psutil
from hardware import described

from pinsage.settings.loading import parse_override
from tasks.following.airflow_api import DAG_ID, AirflowApi
from tasks.standalone.deployment import Deployment
from tasks.standalone.services import Service, airflow_services, mlflow_service

EDGE = 10  # runs at each end that are compared
LIMIT_S = 1800.0


def footprint(service: Service) -> dict[str, float]:
    """Memory in MB, open files and threads of a server and all it has started."""
    process = service.process()
    if process is None:
        sys.exit(f"{service.name} does not run. Start the deployment with `make run` first.")
    found: dict[str, float] = defaultdict(float)
    for member in (process, *process.children(recursive=True)):
        try:
            found["memory MB"] += member.memory_full_info().uss / 1e6
            found["open files"] += member.num_fds()
            found["threads"] += member.num_threads()
        except psutil.NoSuchProcess:  # a task's process that has just ended
            continue
    return dict(found)


def folder_mb(folder: Path) -> float:
    """The size of a folder; files that go while it is looked at count nothing."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            total += path.lstat().st_size if path.exists() else 0
    return total / 1e6


def look(deployment: Deployment) -> dict[str, dict[str, float]]:
    """The footprint of every server, and the sizes of the folders of the data folder."""
    services = [*airflow_services(deployment), mlflow_service(deployment)]
    parts = {service.name: footprint(service) for service in services}
    folders = sorted(path for path in deployment.home.iterdir() if path.is_dir())
    return {**parts, "disk": {f"{path.name} MB": folder_mb(path) for path in folders}}


def run_once(api: AirflowApi, run_id: str, conf: dict[str, Any]) -> float:
    """Start a run and wait for its end; its seconds."""
    api.trigger(run_id, conf)
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        state = api.run(run_id)
        if state.has_ended:
            if state.state != "success":
                sys.exit(f"The run {run_id} ended as '{state.state}': {api.run_page(run_id)}")
            return state.seconds
        time.sleep(1)
    sys.exit(f"The run {run_id} did not end within {LIMIT_S:.0f} s.")


def print_table(looks: list[dict[str, dict[str, float]]]) -> None:
    """Print every quantity at the beginning and at the end."""
    print(f"{'':20} {'':16} {'first':>10} {'last':>10} {'a run':>10}")
    edge = min(EDGE, max(1, len(looks) // 2))
    for part in looks[-1]:
        for quantity in looks[-1][part]:
            values = [each[part].get(quantity, 0.0) for each in looks]
            first, last = statistics.median(values[:edge]), statistics.median(values[-edge:])
            growth = (last - first) / max(1, len(looks) - edge)
            print(f"{part:20} {quantity:16} {first:10.1f} {last:10.1f} {growth:+10.3f}")


def main() -> None:
    """Run, look, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--train-every", type=int, default=5, help="so many runs apart a training is made")
    parser.add_argument("--set", action="append", default=[], help="section.name=value, for every run")
    parser.add_argument("--json", type=Path, help="where the raw numbers go")
    chosen = parser.parse_args()
    deployment = Deployment.from_environment(os.environ)
    api = AirflowApi(deployment.airflow_url, DAG_ID, deployment.login.user if deployment.asks_for_login else None)
    settings, looks, seconds = dict(map(parse_override, chosen.set)), [], []
    print(described("apache-airflow", "mlflow"))
    for number in range(chosen.runs):
        seed = {"train.seed": 1000 + number // chosen.train_every}
        seconds.append(run_once(api, f"row__{int(time.time())}", {**settings, **seed}))
        looks.append(look(deployment))
        print(f"run {number + 1}: {seconds[-1]:.0f} s", flush=True)
        if chosen.json:
            chosen.json.write_text(json.dumps({"hardware": described(), "seconds": seconds, "looks": looks}, indent=1))
    print_table(looks)


if __name__ == "__main__":
    main()
