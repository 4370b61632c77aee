"""Walk the graph: neighborhoods, importance weights and hard-negative candidates of every pin."""

import logging
import time
from collections.abc import Sequence

import numpy as np

from pinsage.cluster.through_store import open_exchange
from pinsage.cluster.workers import workers
from pinsage.graph.csr import BipartiteGraph
from pinsage.graph.sessions import walk_graph_folder
from pinsage.store.deployment import open_store
from pinsage.store.manifest import Facts
from pinsage.walks.partition import PartitionResult, allocate, check_coverage, num_parts, ranges, walk_partition
from tasks.running.work import StageWork

log = logging.getLogger(__name__)


def walk(work: StageWork) -> Facts:
    """Write `neighbors.npy`, `weights.npy` and `hard_negatives.npy`; returns counts and speed.

    Raises:
        ClusterError: the cluster or the store cannot be reached, or a partition failed on every worker that tried it.
        ArtifactDamagedError: the graph cannot be opened.
        DiskFullError: there is no room for the rows, here or at a worker.
    """
    graph = BipartiteGraph.open(walk_graph_folder(work.inputs["connect"]))
    allocate(work.out, graph.num_pins, work.settings.walk)
    began = time.monotonic()
    walked, spent = _walk(work, graph.num_pins)
    seconds = max(time.monotonic() - began, 1e-9)
    check_coverage(walked, graph.num_pins)
    facts = _facts(walked, graph, work.settings.walk.num_hard_negatives)
    num_hops = sum(part.num_hops for part in walked)
    pace = {"pins_per_second": graph.num_pins / seconds, "hops_per_second": num_hops / seconds}
    return facts | {name: round(value, 3) for name, value in (pace | spent).items()}


def _walk(work: StageWork, num_pins: int) -> tuple[list[PartitionResult], dict[str, float]]:
    """Walk all partitions, then collect and check their rows one by one; return their results and the times."""
    settings, cluster_settings = work.settings.walk, work.settings.cluster
    began, collecting = time.monotonic(), 0.0

    def collect(part: PartitionResult) -> None:
        nonlocal collecting
        started = time.monotonic()
        exchange.collect(work.out, part.written)
        collecting += time.monotonic() - started

    with (
        open_exchange(open_store(work.home), cluster_settings) as exchange,
        workers(cluster_settings, work.on_progress, num_pins=num_pins) as cluster,
    ):
        starting = time.monotonic() - began
        graph, out = exchange.stage(walk_graph_folder(work.inputs["connect"])), exchange.rows(work.out)
        pins = ranges(num_pins, settings.num_partitions or num_parts(num_pins, cluster.num_threads))
        parts = [(graph, out, first, last, settings) for first, last in pins]
        sizes = [last - first for first, last in pins]
        walked = cluster.run(walk_partition, parts, label="walk", sizes=sizes, on_result=collect)
    return walked, {"starting_seconds": starting, "collecting_seconds": collecting, **_worker_seconds(walked)}


def _worker_seconds(walked: Sequence[PartitionResult]) -> dict[str, float]:
    """Seconds of the workers' threads by kind of work, in all of them together."""
    return {
        "preparing_seconds": sum(part.preparing_s for part in walked),
        "walking_seconds": sum(part.walking_s for part in walked),
        "writing_seconds": sum(part.writing_s for part in walked),
    }


def _facts(walked: Sequence[PartitionResult], graph: BipartiteGraph, num_hard_negatives: int) -> Facts:
    num_pins = max(graph.num_pins, 1)
    isolated = int(np.count_nonzero(graph.pin_degrees == 0))
    if isolated:
        log.info("walk: %d of %d pins have no saves to walk over and get no neighbors", isolated, graph.num_pins)
    return {
        "pins": graph.num_pins,
        "isolated_pins": isolated,
        "partitions": len(walked),
        "mean_neighbors": round(sum(part.neighbors for part in walked) / num_pins, 3),
        "full_rows_share": round(sum(part.full_rows for part in walked) / num_pins, 4),
        "hard_negatives_share": round(
            sum(part.hard_negatives for part in walked) / (num_pins * max(num_hard_negatives, 1)), 4
        ),
    }
