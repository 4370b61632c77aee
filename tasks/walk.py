"""Walk the graph: neighborhoods, importance weights and hard-negative candidates of every pin."""

import logging
import time
from collections.abc import Sequence

import numpy as np

from pinsage.cluster.between import exchange_through
from pinsage.cluster.connection import connected
from pinsage.graph.csr import BipartiteGraph
from pinsage.store.manifest import Facts
from pinsage.walks.partition import Walked, allocate, check_coverage, num_parts, ranges, walk_partition
from tasks.work import StageWork

log = logging.getLogger(__name__)


def walk(work: StageWork) -> Facts:
    """Write `neighbors.npy`, `weights.npy` and `hard_negatives.npy`; returns counts and speed.

    Raises:
        ClusterError: the cluster or the store cannot be reached, or a partition failed on every worker that tried it.
        ArtifactDamagedError: the graph cannot be opened.
        DiskFullError: there is no room for the rows, here or at a worker.
    """
    graph = BipartiteGraph.open(work.inputs["connect"])
    allocate(work.out, graph.num_pins, work.settings.walk)
    started = time.monotonic()
    walked = _walked(work, graph.num_pins)
    seconds = max(time.monotonic() - started, 1e-9)
    check_coverage(walked, graph.num_pins)
    facts = _facts(walked, graph, work.settings.walk.num_hard_negatives)
    traversals = sum(part.traversals for part in walked)
    pace = {"pins_per_second": graph.num_pins / seconds, "hops_per_second": 2 * traversals / seconds}
    return {**facts, **{name: round(value, 1) for name, value in pace.items()}}


def _walked(work: StageWork, num_pins: int) -> list[Walked]:
    """What the partitions came to, after their rows have been collected and checked one by one."""
    settings, cluster_settings = work.settings.walk, work.settings.cluster
    with (
        exchange_through(cluster_settings.store, work.home / "leases") as exchange,
        connected(cluster_settings, work.tell) as cluster,
    ):
        graph, out = exchange.lend(work.inputs["connect"]), exchange.rows(work.out)
        pins = ranges(num_pins, settings.num_partitions or num_parts(num_pins, cluster.num_threads))
        return cluster.run(
            walk_partition,
            [(graph, out, begin, end, settings) for begin, end in pins],
            label="walk",
            sizes=[end - begin for begin, end in pins],
            on_result=lambda part: exchange.collect(work.out, part.written),
        )


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
