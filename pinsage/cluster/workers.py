"""Workers for a job on a catalog: threads of this process where the work is smaller than the start of a cluster.

Both run the same parts and write the same bytes.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from typing import Any, Protocol

from pinsage.progress import OnProgress, ProgressReporter, ignore_progress
from pinsage.settings.schema import ClusterSettings

SMALL_PINS = 50_000  # a cluster of two processes starts in about 10 s of CPU time, in which two threads do as much

Part = tuple[Any, ...]
OnResult = Callable[[Any], None]


def keep_nothing(result: Any) -> None:
    """Leave a result that came in to the list of all results."""


class Workers(Protocol):
    """Threads or a cluster that run the parts of a job; see `pinsage.cluster.work.Cluster.run`."""

    @property
    def num_threads(self) -> int:
        """Parts that run at the same time, now."""

    def run(
        self,
        function: Callable[..., Any],
        parts: Sequence[Part],
        *,
        label: str,
        sizes: Sequence[int] | None = None,
        on_result: OnResult = keep_nothing,
    ) -> list[Any]:
        """The results of `function(*part)`, in the order of `parts`."""


@contextmanager
def workers(
    settings: ClusterSettings, on_progress: OnProgress = ignore_progress, *, num_pins: int
) -> Iterator[Workers]:
    """The cluster of the settings, or threads of this process for a catalog of few pins (`num_pins`).

    Raises:
        ClusterError, SettingsError: as `pinsage.cluster.connection.open_cluster`.
    """
    # Never where a cluster is named: whoever names one wants it used, however small the catalog.
    if not settings.address and num_pins <= SMALL_PINS:
        yield Threads(settings.num_workers * settings.threads_per_worker, on_progress)
        return
    from pinsage.cluster.connection import open_cluster  # Dask takes more than a second to import

    with open_cluster(settings, on_progress) as cluster:
        yield cluster


class Threads:
    """Threads of this process: compiled code and tensor operations let each other run."""

    def __init__(self, num_threads: int, on_progress: OnProgress = ignore_progress) -> None:
        self._num_threads, self._on_progress = num_threads, on_progress

    @property
    def num_threads(self) -> int:
        """Parts that run at the same time."""
        return self._num_threads

    def run(
        self,
        function: Callable[..., Any],
        parts: Sequence[Part],
        *,
        label: str,
        sizes: Sequence[int] | None = None,
        on_result: OnResult = keep_nothing,
    ) -> list[Any]:
        """The results of `function(*part)`, in the order of `parts`; the first error ends the job.

        Args:
            function: any number of threads may be in it.
            parts: arguments of each call.
            label: what is being done, for the progress.
            sizes: pins of each part, in which progress is then told.
            on_result: is called in this thread with each result as it comes in.
        """
        watch = ProgressReporter(self._on_progress, label, len(parts), sizes)
        pool = ThreadPoolExecutor(self._num_threads)
        try:
            numbers = {pool.submit(function, *part): number for number, part in enumerate(parts)}
            for future in as_completed(numbers):
                on_result(future.result())
                watch.done(numbers[future])
        finally:
            # After an error the parts that have begun are waited for: they may be writing below a folder that goes away
            # next.
            pool.shutdown(cancel_futures=True)
        return [future.result() for future in numbers]
