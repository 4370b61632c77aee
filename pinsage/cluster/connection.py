"""The one door to Dask: a cluster of processes on this machine, or the address of a real one.

Nothing large travels. A part of the work is a few paths, row numbers and settings; workers open memory maps themselves
and write their rows to files, so a part can be done twice, or by another worker, without a trace.
"""

# mypy: allow-untyped-calls
# (Dask is annotated in parts only.)

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import dask
from distributed import Client, LocalCluster

from pinsage.cluster.work import Cluster
from pinsage.errors import ClusterError
from pinsage.progress import OnProgress, ignore_progress
from pinsage.settings.schema import ClusterSettings

log = logging.getLogger(__name__)

CONNECT_S = 30.0  # to reach a scheduler, and for its first worker to be there
_OURS = {
    # Dask gives up a worker that takes 15 s to start again; on a busy machine it takes longer, and none would be left.
    "distributed.deploy.lost-worker-timeout": "10 minutes",
    # A worker gets as many parts as it has threads; the others wait at the scheduler and cannot be blamed for its end.
    "distributed.scheduler.worker-saturation": 1.0,
    # After two deaths in company a part is tried alone (see `pinsage.cluster.work`), where it has two more.
    "distributed.scheduler.allowed-failures": 1,
    # Loopback is open to every user of the machine: no page about the job is served to whoever asks.
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}
_NO_LIMIT = 0  # memory maps count as a worker's memory, so Dask would kill workers for reading a large graph


@contextmanager
def open_cluster(settings: ClusterSettings, on_progress: OnProgress = ignore_progress) -> Iterator[Cluster]:
    """A cluster to run on: the one at `settings.address`, or one of `settings.num_workers` processes on loopback.

    The one on loopback speaks TLS with a key of its own, which only its processes know, and has no dashboard.

    Args:
        settings: where and how many.
        on_progress: is called with the progress of what runs there, every few seconds at least.

    Raises:
        ClusterError: no scheduler answers, or no worker comes up in time.
    """
    if settings.address:
        with _open_client(settings.address, settings.address) as client:
            yield Cluster(client, on_progress)
        return
    name = "the cluster on this machine"
    with _local_cluster(settings) as cluster, _open_client(cluster, name) as client:
        yield Cluster(client, on_progress)


@contextmanager
def _local_cluster(settings: ClusterSettings) -> Iterator[LocalCluster]:
    with _quiet_dask(), dask.config.set(_OURS):
        try:
            cluster = _start(settings)
        except Exception as error:
            raise ClusterError(
                f"A cluster of {settings.num_workers} processes could not be started ({error}). "
                "Start the pipeline from a file or with `python -m`, or set cluster.address."
            ) from error
        with cluster:
            yield cluster


def _start(settings: ClusterSettings) -> LocalCluster:
    options = {
        "n_workers": settings.num_workers,
        "threads_per_worker": settings.threads_per_worker,
        "processes": True,
        "host": "127.0.0.1",
        # Whoever reaches a scheduler or a worker may run code on it: only those with this cluster's own key do.
        "security": True,
        "dashboard_address": "127.0.0.1:0",  # None would be port 8787 on all interfaces
        "scheduler_kwargs": {"dashboard": False},
        "memory_limit": _NO_LIMIT,
    }
    try:
        return LocalCluster(**options)
    except Exception as error:  # also when a worker is killed while it starts; later, Dask starts another by itself
        log.warning("cluster: did not start (%s), trying once more", error)
        return LocalCluster(**options)


@contextmanager
def _quiet_dask() -> Iterator[None]:
    """Keep Dask's two dozen lines for every start and stop out of the log; a worker that dies is a warning."""
    logger = logging.getLogger("distributed")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def _open_client(address: LocalCluster | str, name: str) -> Iterator[Client]:
    try:
        client = Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError, TypeError, ValueError) as error:  # TypeError: tls:// without certificates
        raise ClusterError(
            f"No Dask scheduler answered at {name} within {CONNECT_S:.0f} s ({error}). "
            "Check cluster.address and, with tls://, distributed.comm.tls in the configuration of Dask."
        ) from error
    try:
        _await_worker(client, name)
        count = len(client.nthreads())
        log.info("cluster: %d workers at %s", count, name)
        yield client
    finally:
        client.close(timeout=5)


def _await_worker(client: Client, name: str) -> None:
    try:
        client.wait_for_workers(1, timeout=CONNECT_S)
    except (OSError, TimeoutError) as error:
        raise ClusterError(
            f"The scheduler at {name} has no worker after {CONNECT_S:.0f} s. Start workers: `dask worker ADDRESS`."
        ) from error
