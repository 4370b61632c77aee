"""The served model over real HTTP: latency, throughput, recall, malformed requests, memory.

    export OMP_NUM_THREADS=1
    python benchmarks/serving.py            # 20,000 drawn pins x 128, `mlflow models serve` on the loopback address

A query is one POST of one pin, k = 10, on a connection that its client keeps: of a known pin, or of a new one with ten
words and a picture (JPEG, 800 x 600), which a network of K = 2, m = 256, d = 128 embeds. The clients are threads of
this process and share the cores with the server, so this is a lower bound. `cpu_ms` are CPU milliseconds of embedding
one new pin without a server. Raw numbers go to benchmarks/results/serving.json.
"""

import argparse
import base64
import http.client
import io
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
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from hardware import described
from index_curve import synthetic
from numpy.typing import NDArray
from PIL import Image

from pinsage.features.descriptor import Descriptor
from pinsage.features.text import WordVectors
from pinsage.index.build import IndexPlan
from pinsage.index.exact import kth_scores
from pinsage.index.pin_index import PinIndex
from pinsage.model.file import save_network
from pinsage.model.network import PinSageNetwork
from pinsage.model.shape import NetworkShape
from pinsage.serving.new_pins import NewPin, NewPinEncoder
from pinsage.serving.served_model import ModelParts, save_model
from pinsage.settings.schema import Settings

K, DIM, RESULTS = 10, 128, Path(__file__).parent / "results" / "serving.json"
JSON, ROWS = "application/json", "dataframe_records"
MALFORMED = [  # content type, body
    (JSON, "not json"),
    (JSON, ""),
    (JSON, "[1, 2]"),
    (JSON, '{"rows": 3}'),
    (JSON, '{"dataframe_records": "x"}'),
    (JSON, '{"dataframe_records": [{"pin_id": "a\\ud800"}]}'),
    (JSON, '{"dataframe_split": {"columns": ["pin_id"], "data": [["a", "b"]]}}'),
    ("text/csv", '"a'),
    ("image/png", "x"),
]
BAD_ROWS: list[dict[str, Any]] = [
    {"pin_id": "nobody"}, {"pin_id": None}, {"pin_id": ["a"]},
    {"pin_id": "pin-1", "k": "ten"}, {"pin_id": "pin-1", "k": -1}, {"pin_id": "pin-1", "k": 2.5},
    {}, {"title": "unheard"}, {"title": 7}, {"annotations": 7}, {"image": "no base64!"}, {"image": "aaaa"},
    {"pin_id": "pin-1", "exclude": 7},
]  # fmt: skip
NUM_WORDS = 20_000
BLOCKS = (
    ("visual", Descriptor.dim), ("has_picture", 1), ("text", 256), ("has_text", 1),
    ("spectral", DIM), ("has_saves", 1), ("log_degree", 1),
)  # fmt: skip


def main() -> None:
    """Measure, print and keep the numbers."""
    chosen = options()
    vectors = synthetic(chosen.pins, DIM)
    with tempfile.TemporaryDirectory() as folder, served(saved_model(vectors, Path(folder))) as (port, server):
        client = Client(port)
        print(client.post(body("pin-1", 3))[1].decode())
        numbers: dict[str, Any] = {"recall_at_10": recall(client, vectors), **bad_requests(client), "load": []}
        keep(chosen, numbers)
        print(client.post(json.dumps({ROWS: [{"title": "word5 word6", "annotations": ["word7"], "k": 3}]}))[1].decode())
        numbers |= {"new_pins": {"cpu_ms": embedding_cost(Path(folder)), "load": []}}
        for clients in chosen.clients:
            numbers["load"].append(load(port, clients, chosen.seconds, partial(draw_known, chosen.pins)))
            numbers["new_pins"]["load"].append(load(port, clients, chosen.seconds, draw_new))
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


def draw_known(num_pins: int, rng: np.random.Generator) -> str:
    """A request for a known pin."""
    return body(f"pin-{rng.integers(num_pins)}")


def draw_new(rng: np.random.Generator) -> str:
    """A request for a new pin."""
    pin = new_pin(rng)
    row = {"title": pin.title, "annotations": list(pin.annotations), "image": base64.b64encode(PICTURE).decode()}
    return json.dumps({ROWS: [{**row, "k": K}]})


def new_pin(rng: np.random.Generator) -> NewPin:
    """A pin of ten words and the picture."""
    words = [f"word{word}" for word in rng.integers(NUM_WORDS, size=10)]
    return NewPin(title=" ".join(words[:5]), annotations=words[5:], image=PICTURE)


def photo() -> bytes:
    """A JPEG of 800 x 600: shapes of many sizes, whose bytes are about as many as a photograph's."""
    image, rng = Image.effect_noise((800, 600), 40).convert("RGB"), np.random.default_rng(0)
    for size in (300, 200, 100, 50):
        color = tuple(rng.integers(256, size=3).tolist())
        image.paste(color, (int(rng.integers(500)), int(rng.integers(300)), 500 + size // 2, 300 + size))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def embedding_cost(folder: Path, num: int = 200) -> dict[str, float]:
    """CPU milliseconds of embedding one new pin in this process: with its picture, and by its words alone."""
    [parts] = (folder / "saved").rglob("new_pins")
    encoder, rng = NewPinEncoder.open(parts, dim=DIM, picture_digest="descriptor-1"), np.random.default_rng(0)
    pins = [new_pin(rng) for _ in range(num)]
    cost = {}
    for name, some in (("words_and_picture", pins), ("words", [replace(pin, image=None) for pin in pins])):
        encoder.embed(some[0])
        began = time.process_time()
        for pin in some:
            encoder.embed(pin)
        cost[name] = 1000 * (time.process_time() - began) / num
    return cost


def saved_model(vectors: NDArray[np.float32], folder: Path) -> Path:
    """The model of drawn pins, as the stage that registers it saves it."""
    for name in ("index", "network", "words"):
        (folder / name).mkdir()
    PinIndex.build(vectors, np.zeros(len(vectors), np.float32), folder / "index", IndexPlan(10))
    shape = NetworkShape(BLOCKS, 2, 256, vectors.shape[1], "importance", has_linear_path=True)
    save_network(PinSageNetwork(shape), folder / "network")
    words = np.random.default_rng(0).normal(size=(NUM_WORDS, 256)).astype(np.float32)
    names = [f"word{word}" for word in range(NUM_WORDS)]
    WordVectors(names, np.ones(NUM_WORDS, np.int64), words).write(folder / "words")
    pin_ids = [f"pin-{pin}" for pin in range(len(vectors))]
    titles = [f"Pin {pin}" for pin in range(len(vectors))]
    folders = {name: folder / name for name in ("index", "network", "words")}
    parts = ModelParts(**folders, settings=Settings(), version="drawn", pin_ids=pin_ids, titles=titles)
    save_model(folder / "saved", parts)
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


def load(port: int, clients: int, seconds: float, draw: Callable[[np.random.Generator], str]) -> dict[str, Any]:
    """Latency and throughput while so many clients ask as fast as they can; one request in 50 is malformed."""
    barrier = threading.Barrier(clients)

    def ask(number: int) -> tuple[list[float], list[int]]:
        client, rng, took, statuses = Client(port), np.random.default_rng(number), [], []
        barrier.wait()
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            if len(took) % 50 == 49:
                statuses.append(client.post(MALFORMED[0][1])[0])
            request = draw(rng)
            began = time.perf_counter()
            statuses.append(client.post(request)[0])
            took.append(1000 * (time.perf_counter() - began))
        return took, statuses

    with ThreadPoolExecutor(clients) as pool:
        answers = list(pool.map(ask, range(clients)))
    took = [one for some, _ in answers for one in some]
    worst = max(max(statuses) for _, statuses in answers)
    quantiles = {"p50_ms": statistics.median(took), "p99_ms": float(np.quantile(took, 0.99))}
    return {"clients": clients, "answers": len(took), **quantiles, "per_s": len(took) / seconds, "worst_status": worst}


def memory(client: Client, server: psutil.Process, queries: int, num_pins: int) -> dict[str, Any]:
    """The server's resident memory before, halfway and after so many queries, of known and new pins in turns."""
    sizes, rng = [resident_mib(server)], np.random.default_rng(0)
    for number in range(queries):
        client.post(draw_new(rng) if number % 2 else draw_known(num_pins, rng))
        if number + 1 in (queries // 2, queries):
            sizes.append(resident_mib(server))
    return {"queries": queries, "server_mib": sizes}


def resident_mib(server: psutil.Process) -> float:
    """Resident memory of the server and its workers."""
    return sum(one.memory_info().rss for one in (server, *server.children(recursive=True))) / 2**20


PICTURE = photo()


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
