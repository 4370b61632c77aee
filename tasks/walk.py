"""Walk the graph: neighborhoods, importance weights and hard-negative candidates of every pin."""

import logging
import time
from collections.abc import Sequence

import numpy as np

from pinsage.cluster import connected
from pinsage.graph.csr import BipartiteGraph
from pinsage.store.manifest import Facts
from pinsage.walks.partition import Walked, allocate, check_coverage, ranges, walk_partition
from tasks.work import StageWork

log = logging.getLogger(__name__)
PARTITIONS_PER_WORKER = 4


def walk(work: StageWork) -> Facts:
    """Write `neighbors.npy`, `weights.npy` and `hard_negatives.npy`; returns counts and speed.

    Raises:
        ClusterError: the cluster cannot be reached, or a partition failed on every worker that tried it.
        ArtifactDamagedError: the graph cannot be opened.
    """
    settings, folder = work.settings.walk, work.inputs["connect"]
    graph = BipartiteGraph.open(folder)
    allocate(work.out, graph.num_pins, settings)
    with connected(work.settings.cluster) as cluster:
        count = settings.num_partitions or PARTITIONS_PER_WORKER * cluster.num_workers
        parts = [(folder, work.out, begin, end, settings) for begin, end in ranges(graph.num_pins, count)]
        started = time.monotonic()
        walked: list[Walked] = cluster.run(walk_partition, parts, label="walk")
        seconds = max(time.monotonic() - started, 1e-9)
    check_coverage(work.out, walked, graph.num_pins)
    facts = _facts(walked, graph, settings.num_hard_negatives)
    traversals = sum(part.traversals for part in walked)
    pace = {"pins_per_second": graph.num_pins / seconds, "hops_per_second": traversals / seconds}
    return {**facts, **{name: round(value, 1) for name, value in pace.items()}}


def _facts(walked: Sequence[Walked], graph: BipartiteGraph, num_hard_negatives: int) -> Facts:
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
