"""The one door to Dask: a cluster of processes on this machine, or the address of a real one.

Nothing large travels. A part of the work is a few paths, row numbers and settings; workers open memory maps themselves
and write their rows to files, so a part can be done twice, or by another worker, without a trace.
"""

# mypy: allow-untyped-calls
# (Dask is annotated in parts only.)

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any
from uuid import uuid4

import dask
from distributed import Client, Future, KilledWorker, LocalCluster

from pinsage.errors import ClusterError, PinSageError
from pinsage.settings import ClusterSettings

log = logging.getLogger(__name__)

CONNECT_S = 30.0  # to reach a scheduler, and for its first worker to be there
LOST_S = 50.0  # without a worker, or without an answer from the scheduler, the work is given up
RETRIES = 2  # of a part whose function raised; a part whose worker died is tried four times (Dask's allowed-failures)
_PING_S = 3.0
_FETCH_S = 10.0
_PROGRESS_S = 5.0
# Dask gives up a worker that takes 15 s to start again; on a busy machine it takes longer, and none would be left.
_PATIENT = {"distributed.deploy.lost-worker-timeout": "10 minutes"}
_NO_LIMIT = 0  # memory maps count as a worker's memory, so Dask would kill workers for reading a large graph

Part = tuple[Any, ...]


@contextmanager
def connected(settings: ClusterSettings) -> Iterator["Cluster"]:
    """A cluster to run on: the one at `settings.address`, or one of `settings.num_workers` processes on loopback.

    Raises:
        ClusterError: no scheduler answers, or no worker comes up in time.
    """
    if settings.address:
        with _client(settings.address, settings.address) as client:
            yield Cluster(client)
        return
    with _local_cluster(settings.num_workers) as cluster, _client(cluster, "the cluster on this machine") as client:
        yield Cluster(client)


class Cluster:
    """Workers that run parts of a job."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @property
    def num_workers(self) -> int:
        """Parts that run at the same time."""
        return max(1, sum(int(threads) for threads in self._client.nthreads().values()))

    def run(self, function: Callable[..., Any], parts: Sequence[Part], *, label: str) -> list[Any]:
        """The results of `function(*part)` on the workers, in the order of `parts`; progress is logged.

        A part whose worker dies is done again by another worker, one that raises is tried again; both must be harmless.

        Args:
            function: importable by the workers; its result should be small.
            parts: arguments of each call: paths, numbers and settings, no arrays.
            label: what is being done, for logs and errors.

        Raises:
            ClusterError: a part failed every time or ended its workers, or the scheduler or all workers are lost.
            PinSageError: a part found something that trying again cannot help; the very error it raised.
        """
        return _Job(self._client, function, parts, label).results(self.num_workers)


@dataclass(frozen=True)
class _Refused:
    """What a worker sends back instead of raising when trying again cannot help."""

    error: PinSageError


def _attempt(function: Callable[..., Any], part: Part) -> Any:
    try:
        return function(*part)
    except PinSageError as error:
        if error.retry_can_help:
            raise
        return _Refused(error)


class _ResultLost(Exception):
    """A worker died after its part was done and before the result was fetched: the part is done again."""


class _Job:
    """The parts of one call of `Cluster.run`, as many under way as there are workers.

    No more, because when a worker dies, Dask blames every part that was waiting at it: with one part each, the part
    that is named is the part that did it.
    """

    def __init__(self, client: Client, function: Callable[..., Any], parts: Sequence[Part], label: str) -> None:
        self._client, self._function, self._parts, self._label = client, function, parts, label
        self._waiting = deque(range(len(parts)))
        self._under_way: dict[Future[Any], int] = {}
        self._done: SimpleQueue[Future[Any]] = SimpleQueue()

    def results(self, at_once: int) -> list[Any]:
        results: dict[int, Any] = {}
        progress = _Progress(self._label, len(self._parts))
        try:
            while len(results) < len(self._parts):
                while self._waiting and len(self._under_way) < at_once:
                    self._submit(self._waiting.popleft())
                future = self._next_done()
                number = self._under_way.pop(future)
                try:
                    results[number] = self._result(future, number)
                    progress.advance(len(results))
                except _ResultLost:
                    self._waiting.appendleft(number)
        finally:
            self._abandon()
        return [results[number] for number in range(len(self._parts))]

    def _submit(self, number: int) -> None:
        key, part = f"{self._label}-{number}-{uuid4().hex[:8]}", self._parts[number]
        future = self._client.submit(_attempt, self._function, part, key=key, pure=False, retries=RETRIES)
        self._under_way[future] = number
        future.add_done_callback(self._done.put)

    def _next_done(self) -> Future[Any]:
        last_worker = time.monotonic()
        while True:
            try:
                return self._done.get(timeout=_PING_S)
            except Empty:
                if _count_workers(self._client):
                    last_worker = time.monotonic()
            if time.monotonic() - last_worker > LOST_S:
                raise ClusterError(
                    f"{self._label}: no worker for {LOST_S:.0f} s with {len(self._under_way)} parts under way. "
                    "Start workers and run the stage again."
                )

    def _result(self, future: Future[Any], number: int) -> Any:
        which = f"{self._label}: part {number + 1} of {len(self._parts)} {_short(self._parts[number])}"
        try:
            result = future.result(timeout=_FETCH_S)
        except KilledWorker as error:
            raise ClusterError(
                f"{which} ended its worker {error.allowed_failures + 1} times (out of memory, or a crash in compiled "
                "code). Use smaller partitions or look at the worker's log."
            ) from error
        except Exception as error:
            if future.status == "cancelled":
                raise ClusterError(f"{which} was lost with the scheduler. Check it and run the stage again.") from error
            if future.status != "error":
                raise _ResultLost from error
            raise ClusterError(
                f"{which} failed {RETRIES + 1} times ({type(error).__name__}: {error}). Fix the cause and run again."
            ) from error
        if isinstance(result, _Refused):
            raise result.error
        return result

    def _abandon(self) -> None:
        if self._under_way and self._client.status == "running":
            try:
                self._client.cancel(list(self._under_way), force=True)
            except (OSError, TimeoutError) as error:
                log.warning("%s: parts under way could not be cancelled (%s)", self._label, error)


class _Progress:
    """Parts done, logged every few seconds and at the end."""

    def __init__(self, label: str, total: int) -> None:
        self._label, self._total = label, total
        self._started = self._logged = time.monotonic()

    def advance(self, done: int) -> None:
        now = time.monotonic()
        if now - self._logged < _PROGRESS_S and done < self._total:
            return
        rate = done / max(now - self._started, 1e-9)
        left_s = (self._total - done) / rate
        log.info("%s: %d of %d parts, %.2f parts/s, %.0f s left", self._label, done, self._total, rate, left_s)
        self._logged = now


@contextmanager
def _local_cluster(num_workers: int) -> Iterator[LocalCluster]:
    with _quiet_dask(), dask.config.set(_PATIENT):
        try:
            cluster = LocalCluster(
                n_workers=num_workers, threads_per_worker=1, processes=True, host="127.0.0.1",
                dashboard_address="127.0.0.1:0", memory_limit=_NO_LIMIT,
            )  # fmt: skip
        except Exception as error:
            raise ClusterError(
                f"A cluster of {num_workers} processes could not be started ({error}). "
                "Start the pipeline from a file or with `python -m`, or set cluster.address."
            ) from error
        with cluster:
            yield cluster


@contextmanager
def _quiet_dask() -> Iterator[None]:
    """Two dozen lines for every start and stop are kept out of the log; a worker that dies is a warning and stays."""
    logger = logging.getLogger("distributed")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def _client(address: LocalCluster | str, name: str) -> Iterator[Client]:
    try:
        client = Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise ClusterError(
            f"No Dask scheduler answered at {name} within {CONNECT_S:.0f} s ({error}). Check cluster.address."
        ) from error
    try:
        _await_worker(client, name)
        log.info("cluster: %d workers at %s, dashboard %s", _count_workers(client), name, client.dashboard_link)
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


def _count_workers(client: Client) -> int:
    """How many workers the scheduler knows now.

    Raises:
        ClusterError: the scheduler does not answer.
    """
    try:
        scheduler: Any = client.scheduler
        return len(client.sync(scheduler.identity, n_workers=-1, callback_timeout=LOST_S)["workers"])
    except (OSError, TimeoutError, AttributeError) as error:
        if client.status == "connecting":
            return 0  # the futures under way are being cancelled; they will say so
        raise ClusterError(
            f"The Dask scheduler does not answer any more ({error}). Check it and run the stage again."
        ) from error


def _short(part: Part) -> str:
    text = ", ".join(str(value) for value in part)
    return f"({text})" if len(text) <= 200 else f"({text[:200]}…)"
