"""Recall against speed of the index, beside hnswlib, faiss and an exact scan, on the same vectors in one run.

export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1  # threads that wait would count
python benchmarks/index_curve.py --embeddings var/artifacts/embed/<key>/embeddings.npy --name demo
python benchmarks/index_curve.py --synthetic 1000000 --dim 64 --name synthetic

All rank by the cosine alone, build with one thread and answer one query at a time; times are CPU seconds of one core. A
pin that was found counts if it scores as high as the exact tenth. hnswlib and faiss are in requirements-dev.txt; one
that is not installed is skipped, and the table says so. Raw numbers go to benchmarks/results/index_curve_<name>.json.
"""

import argparse
import importlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from hardware import described, pin_to_one_core

from pinsage.index.build import IndexPlan
from pinsage.index.exact import ExactScan, kth_scores
from pinsage.index.pin_index import PinIndex

K, QUERIES = 10, 500
LIBRARIES = [name for name in ("annoy", "hnswlib", "faiss-cpu", "numpy") if find_spec(name.removesuffix("-cpu"))]
TREES, NODES = (10, 20, 40, 80, 160), (320, 640, 1280, 2560, 5120, 10_240)
RESULTS = Path(__file__).parent / "results"

Search = Callable[[int], np.ndarray]  # the rows found for a row, the row itself may be among them


@dataclass(frozen=True)
class Row:
    """One method at one setting."""

    method: str
    setting: str
    recall_at_10: float
    queries_per_s: float
    p99_ms: float
    size_mb: float
    build_s: float


def main() -> None:
    """Measure, print the table and keep the numbers."""
    pin_to_one_core()
    arguments = parse()
    vectors = np.load(arguments.embeddings) if arguments.embeddings else synthetic(arguments.synthetic, arguments.dim)
    rng = np.random.default_rng(0)
    queries = np.sort(rng.choice(len(vectors), min(QUERIES, len(vectors)), replace=False))
    tenths = kth_scores(vectors, np.zeros(len(vectors), np.float32), queries, K)
    print(f"{arguments.name}: {vectors.shape[0]:,} vectors of size {vectors.shape[1]}; {described(*LIBRARIES)}")
    rows: list[Row] = []
    for method in arguments.methods:
        for row in measured(METHODS[method], vectors, queries, tenths):
            print(line(row), flush=True)
            rows.append(row)
            keep(arguments.name, vectors.shape, rows)
    print(f"an exact scan of all queries at once: {batched_scan(vectors, queries):,.0f} queries/s")


def line(row: Row) -> str:
    """A row of the table."""
    return (
        f"{row.method:<10} {row.setting:<26} recall {row.recall_at_10:.4f}  {row.queries_per_s:>8,.0f} queries/s  "
        f"p99 {row.p99_ms:7.2f} ms  {row.size_mb:8.1f} MB  built in {row.build_s:7.1f} s"
    )


def measured(method, vectors, queries, tenths) -> Iterator[Row]:
    """The rows of a method; none if its library is not installed."""
    try:
        for name, setting, search, size_bytes, build_s in method(vectors):
            seconds, found = [], 0
            for query, bar in zip(queries.tolist(), tenths, strict=True):
                started = time.process_time()
                rows = search(query)
                seconds.append(time.process_time() - started)
                rows = rows[(rows != query) & (rows >= 0)][:K]
                found += int(np.sum(vectors[rows] @ vectors[query] >= bar - 1e-5))
            yield Row(
                name, setting, found / (K * len(queries)), len(seconds) / sum(seconds),
                1000 * float(np.quantile(seconds, 0.99)), size_bytes / 1e6, build_s,
            )  # fmt: skip
    except ImportError as error:
        print(f"{method.__name__:<10} skipped: {error}")


def exact(vectors):
    """One matrix product per query."""
    scan = ExactScan(vectors, np.zeros(len(vectors), np.float32))
    yield "exact", "one query at a time", lambda query: scan.related(query, K)[0], vectors.nbytes, 0.0


def batched_scan(vectors: np.ndarray, queries: np.ndarray) -> float:
    """Queries per CPU second where one matrix product answers many."""
    started = time.process_time()
    kth_scores(vectors, np.zeros(len(vectors), np.float32), queries, K)
    return len(queries) / (time.process_time() - started)


def annoy(vectors):
    """Ours."""
    for trees in TREES:
        with tempfile.TemporaryDirectory() as folder:
            none, started = np.zeros(len(vectors), np.float32), time.process_time()
            index = PinIndex.build(vectors, none, Path(folder), IndexPlan(trees))
            build_s = time.process_time() - started
            for nodes in NODES:
                search = partial(annoy_search, index, nodes)
                yield "annoy", f"trees {trees}, search_k {nodes}", search, index.header.size_bytes, build_s


def annoy_search(index: PinIndex, nodes: int, query: int) -> np.ndarray:
    """The rows that a search of so many nodes finds."""
    return index.related(query, K, search_k=nodes)[0]


def hnsw(vectors):
    """The graph of hnswlib."""
    hnswlib = importlib.import_module("hnswlib")
    index, started = hnswlib.Index(space="ip", dim=vectors.shape[1]), time.process_time()
    index.init_index(max_elements=len(vectors), M=16, ef_construction=100, random_seed=0)
    index.add_items(vectors, num_threads=1)
    build_s = time.process_time() - started
    index.set_num_threads(1)
    with tempfile.NamedTemporaryFile() as file:
        index.save_index(file.name)
        size = Path(file.name).stat().st_size
    for ef in (16, 32, 64, 128, 256):
        index.set_ef(ef)
        yield "hnswlib", f"M 16, ef {ef}", lambda query: index.knn_query(vectors[query], k=K + 1)[0][0], size, build_s


def faiss_ivf(vectors):
    """Lists of faiss, as many as four times the root of the number of vectors."""
    faiss, started = load_faiss(), time.process_time()
    lists = int(4 * np.sqrt(len(vectors)))
    index = faiss.index_factory(vectors.shape[1], f"IVF{lists},Flat", faiss.METRIC_INNER_PRODUCT)
    index.train(vectors[: 64 * lists])
    index.add(vectors)
    build_s = time.process_time() - started
    size = faiss.serialize_index(index).nbytes
    for probes in (1, 2, 4, 8, 16, 32, 64):
        index.nprobe = probes
        yield "faiss IVF", f"lists {lists}, probes {probes}", faiss_search(index, vectors), size, build_s


def faiss_hnsw(vectors):
    """The graph of faiss."""
    faiss, started = load_faiss(), time.process_time()
    index = faiss.IndexHNSWFlat(vectors.shape[1], 16, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = 100
    index.add(vectors)
    build_s = time.process_time() - started
    size = faiss.serialize_index(index).nbytes
    for ef in (16, 32, 64, 128, 256):
        index.hnsw.efSearch = ef
        yield "faiss HNSW", f"M 16, ef {ef}", faiss_search(index, vectors), size, build_s


def load_faiss():
    """The library, on one thread."""
    faiss = importlib.import_module("faiss")
    faiss.omp_set_num_threads(1)
    return faiss


def faiss_search(index, vectors) -> Search:
    """A search for one row."""
    return lambda query: index.search(vectors[query : query + 1], K + 1)[1][0]


def synthetic(num: int, dim: int) -> np.ndarray:
    """Directions in clusters of about 100 whose centers are clustered, too: float32 [num, dim], unit length."""
    rng = np.random.default_rng(0)
    topics = rng.normal(size=(max(num // 10_000, 1), dim)).astype(np.float32)
    centers = topics[rng.integers(len(topics), size=max(num // 100, 1))]
    centers = centers + 0.7 * rng.normal(size=centers.shape).astype(np.float32)
    vectors = np.empty((num, dim), np.float32)
    for start in range(0, num, 100_000):
        part = centers[rng.integers(len(centers), size=min(100_000, num - start))]
        part = part + 0.5 * rng.normal(size=part.shape).astype(np.float32)
        vectors[start : start + len(part)] = part / np.linalg.norm(part, axis=1, keepdims=True)
    return vectors


METHODS = {"exact": exact, "annoy": annoy, "hnswlib": hnsw, "faiss_ivf": faiss_ivf, "faiss_hnsw": faiss_hnsw}


def keep(name: str, shape: tuple[int, int], rows: list[Row]) -> None:
    """Write the numbers so far, since a long run may be ended early, beside those of methods not measured now."""
    path, methods = RESULTS / f"index_curve_{name}.json", {row.method for row in rows}
    before = json.loads(path.read_text())["rows"] if path.exists() else []
    kept = [row for row in before if row["method"] not in methods] + [asdict(row) for row in rows]
    body = {"hardware": described(*LIBRARIES), "pins": shape[0], "dim": shape[1], "rows": kept}
    path.write_text(json.dumps(body, indent=1) + "\n")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", required=True, help="of the file in benchmarks/results/")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--embeddings", type=Path, help="a .npy file, float32 of unit length")
    source.add_argument("--synthetic", type=int, help="so many drawn vectors")
    parser.add_argument("--dim", type=int, default=64, help="size of a drawn vector")
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS), help="all by default")
    return parser.parse_args()


if __name__ == "__main__":
    main()
