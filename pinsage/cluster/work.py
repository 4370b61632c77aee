"""Parts of a job on the workers of a cluster: each done exactly once over, or an error that names the part.

All parts are handed to the scheduler at once, so that its dashboard shows the whole job and a worker that joins late
gets its share. When a worker dies, Dask blames every part that was there, also those that only kept company. So a part
that Dask gives up is a suspect, not a culprit: what else is under way is held back, the suspect is tried alone, and
only if its worker dies again is it to blame; if not, its result counts and the others go on.
"""

# mypy: allow-untyped-calls
# (Dask is annotated in parts only.)

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any
from uuid import uuid4

from distributed import Client, Future, KilledWorker

from pinsage.cluster.workers import OnResult, Part, keep_nothing
from pinsage.errors import ClusterError, DiskFullError, PinSageError, StoreError
from pinsage.progress import OnProgress, ProgressReporter, ignore_progress

log = logging.getLogger(__name__)

LOST_S = 50.0  # without a worker, or without an answer from the scheduler, the work is given up
RETRIES = 2  # of a part whose function raised
_PING_S = 3.0
_FETCH_S = 10.0


class Cluster:
    """Workers that run parts of a job."""

    def __init__(self, client: Client, on_progress: OnProgress = ignore_progress) -> None:
        self._client, self._on_progress = client, on_progress

    @property
    def num_threads(self) -> int:
        """Parts that run at the same time, now."""
        return max(1, sum(int(threads) for threads in self._client.nthreads().values()))

    def run(
        self,
        function: Callable[..., Any],
        parts: Sequence[Part],
        *,
        label: str,
        sizes: Sequence[int] | None = None,
        on_result: OnResult = keep_nothing,
    ) -> list[Any]:
        """The results of `function(*part)` on the workers, in the order of `parts`.

        A part whose worker dies is done again by another worker, one that raises is tried again; both must be harmless.

        Args:
            function: importable by the workers; its result should be small.
            parts: arguments of each call: paths, numbers and settings, no arrays.
            label: what is being done, for logs, errors and the dashboard.
            sizes: pins of each part, in which progress is then told.
            on_result: is called here with each result as it comes in, while the workers go on.

        Raises:
            ClusterError: a part failed every time or ended its workers, or the scheduler or all workers are lost.
            PinSageError: a part found something that trying again cannot help; the very error it raised.
        """
        watch = ProgressReporter(self._on_progress, label, len(parts), sizes)
        return _Job(self._client, function, parts, label).results(watch, on_result)


@dataclass(frozen=True)
class _Refused:
    """An error that a worker sends back instead of raising it, because trying again cannot help."""

    error: PinSageError


def _attempt(function: Callable[..., Any], part: Part) -> Any:
    try:
        return function(*part)
    except PinSageError as error:
        # A full disk may heal, but not within Dask's retries, which follow at once; a store was asked for long already.
        if error.retry_can_help and not isinstance(error, DiskFullError | StoreError):
            raise
        # As a result: raised, Dask would try it again and wrap it in errors of its own.
        return _Refused(error)


class _ResultLost(Exception):
    """A worker died after its part was done and before the result was fetched: the part is done again."""


class _Suspected(Exception):
    """The workers of a part died too often, but other parts were under way with it."""


class _Job:
    """The parts of one call of `Cluster.run`: waiting, under way, suspected, alone on trial, or done."""

    def __init__(self, client: Client, function: Callable[..., Any], parts: Sequence[Part], label: str) -> None:
        self._client, self._function, self._parts, self._label = client, function, parts, label
        self._name = f"{label}-{uuid4().hex[:8]}"  # the dashboard groups by what stands before the digits
        self._waiting = list(range(len(parts)))
        self._suspects: deque[int] = deque()
        self._on_trial: int | None = None
        self._under_way: dict[Future[Any], int] = {}
        self._ended: SimpleQueue[Future[Any]] = SimpleQueue()
        self._finished: list[Future[Any]] = []  # kept, or the dashboard would forget them

    def results(self, watch: "ProgressReporter", on_result: OnResult) -> list[Any]:
        results: dict[int, Any] = {}
        try:
            while len(results) < len(self._parts):
                self._start_what_may()
                future, number = self._next_ended(watch)
                try:
                    results[number] = self._result(future, number)
                # Its worker died with the result: nothing was wrong with the part.
                except _ResultLost:
                    self._waiting.append(number)
                except _Suspected:
                    self._suspects.append(number)
                else:
                    on_result(results[number])
                    watch.done(number)
                if number == self._on_trial:
                    self._on_trial = None
        finally:
            self._abandon()
        return [results[number] for number in range(len(self._parts))]

    def _start_what_may(self) -> None:
        """Start the parts that wait; or a suspect alone, once everything else is off the workers."""
        if self._on_trial is not None:
            return
        if not self._suspects:
            self._submit(self._waiting)
            self._waiting = []
            return
        # Everything else is taken off the workers first: if they die again, the part alone is to blame.
        self._hold_back()
        if not self._under_way:
            self._on_trial = self._suspects.popleft()
            log.info("%s: part %d is tried alone, because its workers died", self._label, self._on_trial + 1)
            self._submit([self._on_trial])

    def _hold_back(self) -> None:
        running = [future for future in self._under_way if not future.done()]
        self._waiting += [self._under_way.pop(future) for future in running]
        if running:
            self._client.cancel(running, force=True)

    def _submit(self, numbers: Sequence[int]) -> None:
        if not numbers:
            return
        # A key of its own for each attempt, or the scheduler would answer with the failure it has kept.
        attempt = uuid4().hex[:8]
        futures = self._client.map(
            _attempt,
            [self._function] * len(numbers),
            [self._parts[number] for number in numbers],
            key=[(self._name, number, attempt) for number in numbers],
            # Never by content: a part that is done again must run again, whatever Dask remembers of its arguments.
            pure=False,
            retries=RETRIES,
        )
        for future, number in zip(futures, numbers, strict=True):
            self._under_way[future] = number
            # Into a queue, for callbacks come in a thread of Dask's.
            future.add_done_callback(self._ended.put)

    def _next_ended(self, watch: "ProgressReporter") -> tuple[Future[Any], int]:
        last_worker = time.monotonic()
        while True:
            try:
                future = self._ended.get(timeout=_PING_S)
            except Empty:
                watch.report()
                # Silence alone is no fault, for parts may take long; without any worker nothing will come.
                if _count_workers(self._client):
                    last_worker = time.monotonic()
            else:
                if future in self._under_way:  # and was not held back
                    self._finished.append(future)
                    return future, self._under_way.pop(future)
            if time.monotonic() - last_worker > LOST_S:
                raise ClusterError(
                    f"{self._label}: no worker for {LOST_S:.0f} s with {len(self._under_way)} parts to be done. "
                    "Start workers and run the stage again."
                )

    def _result(self, future: Future[Any], number: int) -> Any:
        which = f"{self._label}: part {number + 1} of {len(self._parts)} {_short(self._parts[number])}"
        try:
            result = future.result(timeout=_FETCH_S)
        except KilledWorker as error:
            if number != self._on_trial:
                raise _Suspected from error
            raise ClusterError(
                f"{which} ended its worker again and again, the last {error.allowed_failures + 1} times with nothing "
                "else under way (out of memory, or a crash in compiled code). "
                "Use smaller partitions or look at the worker's log."
            ) from error
        except Exception as error:
            if future.status == "cancelled":
                raise ClusterError(
                    f"{self._label}: the scheduler was lost with {len(self._under_way) + 1} of {len(self._parts)} "
                    "parts to be done. Check it and run the stage again."
                ) from error
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


def _count_workers(client: Client) -> int:
    """The number of workers that the scheduler knows now.

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
    return f"({text})" if len(text) <= 300 else f"({text[:300]}…)"
