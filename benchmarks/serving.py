"""The served model over real HTTP: latency, throughput, recall, malformed requests, memory.

    export OMP_NUM_THREADS=1
    python benchmarks/serving.py            # 20,000 drawn pins x 128, `mlflow models serve` on the loopback address

A query is one POST of one pin, k = 10, on a connection that its client keeps. The clients are threads of this process
and share the cores with the server, so this is a lower bound. Raw numbers go to benchmarks/results/serving.json.
"""

import argparse
import http.client
import json
import os
import shlex
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from hardware import described
from index_curve import synthetic
from numpy.typing import NDArray

from pinsage.index.build import IndexPlan
from pinsage.index.exact import kth_scores
from pinsage.index.pin_index import PinIndex
from pinsage.serving import ModelParts, save_model

K, DIM, RESULTS = 10, 128, Path(__file__).parent / "results" / "serving.json"
JSON, ROWS = "application/json", "dataframe_records"
MALFORMED = [  # content type, body
    (JSON, "not json"),
    (JSON, ""),
    (JSON, "[1, 2]"),
    (JSON, '{"rows": 3}'),
    (JSON, '{"dataframe_records": "x"}'),
    (JSON, '{"dataframe_records": [{"k": 5}]}'),
    (JSON, '{"dataframe_records": []}'),
    (JSON, '{"dataframe_records": [{"pin_id": "a\\ud800"}]}'),
    (JSON, '{"dataframe_split": {"columns": ["pin_id"], "data": [["a", "b"]]}}'),
    (JSON, '{"inputs": ["pin-1"]}'),
    ("text/csv", '"a'),
    ("image/png", "x"),
]
BAD_ROWS: list[dict[str, Any]] = [
    {"pin_id": "nobody"}, {"pin_id": None}, {"pin_id": ["a"]},
    {"pin_id": "pin-1", "k": "ten"}, {"pin_id": "pin-1", "k": -1}, {"pin_id": "pin-1", "k": 2.5},
]  # fmt: skip


def main() -> None:
    """Measure, print and keep the numbers."""
    chosen = options()
    vectors = synthetic(chosen.pins, DIM)
    with tempfile.TemporaryDirectory() as folder, served(saved_model(vectors, Path(folder))) as (port, server):
        client = Client(port)
        print(client.post(body("pin-1", 3))[1].decode())
        numbers: dict[str, Any] = {"recall_at_10": recall(client, vectors), **bad_requests(client), "load": []}
        keep(chosen, numbers)
        for clients in chosen.clients:
            numbers["load"].append(load(port, clients, chosen.seconds, chosen.pins))
            keep(chosen, numbers)
        keep(chosen, numbers | memory(Client(port), server, chosen.queries, chosen.pins))


def keep(chosen: argparse.Namespace, numbers: dict[str, Any]) -> None:
    """Print the numbers so far and write them, since a long run may be ended early."""
    print(numbers, flush=True)
    facts = {"command": "python " + shlex.join(sys.argv), "hardware": described("mlflow", "uvicorn", "annoy", "numpy")}
    RESULTS.write_text(json.dumps({**facts, "pins": chosen.pins, "dim": DIM, **numbers}, indent=1) + "\n")


class Client:
    """A connection to the server."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def post(self, content: str, kind: str = JSON) -> tuple[int, bytes]:
        """The status and the answer."""
        self._connection.request("POST", "/invocations", content.encode(), {"Content-Type": kind})
        answer = self._connection.getresponse()
        return answer.status, answer.read()


def body(pin_id: str, k: int = K) -> str:
    """A request for one pin."""
    return json.dumps({ROWS: [{"pin_id": pin_id, "k": k}]})


def saved_model(vectors: NDArray[np.float32], folder: Path) -> Path:
    """The model of drawn pins, as the stage that registers it saves it."""
    for name in ("index", "network"):
        (folder / name).mkdir()
    PinIndex.build(vectors, np.zeros(len(vectors), np.float32), folder / "index", IndexPlan(10))
    (folder / "network" / "model.json").write_text("{}")
    pin_ids = [f"pin-{pin}" for pin in range(len(vectors))]
    titles = [f"Pin {pin}" for pin in range(len(vectors))]
    save_model(folder / "saved", ModelParts(folder / "index", folder / "network", pin_ids, titles))
    return folder / "saved"


@contextmanager
def served(model: Path) -> Iterator[tuple[int, psutil.Process]]:
    """The port and the process that `mlflow models serve` starts for a model, with one worker."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(model), "--env-manager", "local",
               "-h", "127.0.0.1", "-p", str(port)]  # fmt: skip
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "MLFLOW_DISABLE_TELEMETRY": "true"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port, process)
        yield port, psutil.Process(process.pid)
    finally:
        for child in psutil.Process(process.pid).children(recursive=True):
            child.terminate()
        process.terminate()
        process.wait()


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return when the server answers."""
    for _ in range(600):
        if process.poll() is not None:
            raise SystemExit("mlflow models serve ended before it answered")
        with suppress(OSError):
            if Client(port).post(body("pin-1"))[0] == 200:
                return
        time.sleep(0.5)
    raise SystemExit("the server did not answer within five minutes")


def recall(client: Client, vectors: NDArray[np.float32], num: int = 300) -> float:
    """The share of answered pins that score as high as the exact tenth."""
    queries = np.sort(np.random.default_rng(1).choice(len(vectors), num, replace=False))
    found = 0
    for query, bar in zip(queries, kth_scores(vectors, np.zeros(len(vectors), np.float32), queries, K), strict=True):
        [answer] = json.loads(client.post(body(f"pin-{query}"))[1])["predictions"]
        rows = [int(related["pin_id"].removeprefix("pin-")) for related in answer["related"]]
        found += int(np.sum(vectors[rows] @ vectors[query] >= bar - 1e-5))
    return found / (K * num)


def bad_requests(client: Client) -> dict[str, Any]:
    """The statuses of malformed requests, and the sentences that bad rows get beside a good one."""
    statuses = [client.post(content, kind)[0] for kind, content in MALFORMED]
    status, answer = client.post(json.dumps({ROWS: [*BAD_ROWS, {"pin_id": "pin-1", "k": 1}]}))
    if not all(400 <= one < 500 for one in statuses) or status != 200:
        raise SystemExit(f"malformed requests were answered by {statuses}, bad rows by {status}: {answer!r}")
    answers = json.loads(answer)["predictions"]
    if not all(one["error"] for one in answers[:-1]) or answers[-1]["error"]:
        raise SystemExit(f"a bad row got no sentence, or the good one did: {answers}")
    return {"malformed": statuses, "bad_rows": [one["error"] for one in answers[:-1]]}


def load(port: int, clients: int, seconds: float, num_pins: int) -> dict[str, Any]:
    """Latency and throughput while so many clients ask as fast as they can; one request in 50 is malformed."""
    barrier = threading.Barrier(clients)

    def ask(number: int) -> tuple[list[float], list[int]]:
        client, rng, took, statuses = Client(port), np.random.default_rng(number), [], []
        barrier.wait()
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            if len(took) % 50 == 49:
                statuses.append(client.post(MALFORMED[0][1])[0])
            began = time.perf_counter()
            statuses.append(client.post(body(f"pin-{rng.integers(num_pins)}"))[0])
            took.append(1000 * (time.perf_counter() - began))
        return took, statuses

    with ThreadPoolExecutor(clients) as pool:
        answers = list(pool.map(ask, range(clients)))
    took = [one for some, _ in answers for one in some]
    worst = max(max(statuses) for _, statuses in answers)
    quantiles = {"p50_ms": statistics.median(took), "p99_ms": float(np.quantile(took, 0.99))}
    return {"clients": clients, "answers": len(took), **quantiles, "per_s": len(took) / seconds, "worst_status": worst}


def memory(client: Client, server: psutil.Process, queries: int, num_pins: int) -> dict[str, Any]:
    """The server's resident memory before, halfway and after so many queries."""
    sizes = [resident_mib(server)]
    for number in range(queries):
        client.post(body(f"pin-{number % num_pins}"))
        if number + 1 in (queries // 2, queries):
            sizes.append(resident_mib(server))
    return {"queries": queries, "server_mib": sizes}


def resident_mib(server: psutil.Process) -> float:
    """Resident memory of the server and its workers."""
    return sum(one.memory_info().rss for one in (server, *server.children(recursive=True))) / 2**20


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pins", type=int, default=20_000)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--seconds", type=float, default=15, help="per number of clients")
    parser.add_argument("--queries", type=int, default=10_000, help="of the test of memory")
    return parser.parse_args()


if __name__ == "__main__":
    main()
