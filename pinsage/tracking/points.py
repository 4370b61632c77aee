"""Points of curves on their way to MLflow: sent in batches, each step of a metric once.

MLflow keeps every point it is given, so a retried training would draw its curve twice. Here a point whose step MLflow
already holds is dropped, and a point that was lost with a killed process can be sent again later.
"""

import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient

MAX_POINTS_PER_BATCH = 1000


@dataclass(frozen=True)
class Point:
    """One value of one metric at one step."""

    name: str
    value: float
    time_ms: int
    step: int


def metric_name(name: str) -> str:
    """A name that MLflow accepts: `hit_rate@10` becomes `hit_rate_at_10`, other strange letters underscores."""
    return re.sub(r"[^A-Za-z0-9_\-. /]", "_", name.replace("@", "_at_"))


class Points:
    """The points of one MLflow run that wait to be sent."""

    def __init__(self) -> None:
        self._waiting: list[Point] = []
        self._steps: dict[str, set[int]] = {}  # per metric, the steps MLflow holds, as far as this process asked

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, metrics: Mapping[str, float], step: int, *, time_ms: int | None = None) -> None:
        """Take the metrics of a step. NaN and infinite values have no place on a chart and are left out.

        Args:
            metrics: by name.
            step: where they stand on the x axis.
            time_ms: when, in milliseconds since 1970; now if None.
        """
        now = int(time.time() * 1000) if time_ms is None else time_ms
        points = [Point(metric_name(name), float(value), now, step) for name, value in metrics.items()]
        self._waiting += [point for point in points if math.isfinite(point.value)]

    def send(self, client: "MlflowClient", mlflow_run_id: str) -> None:
        """Send what waits to a run; if MLflow refuses, all of it still waits."""
        from mlflow.entities import Metric

        fresh = self._fresh(client, mlflow_run_id)
        for first in range(0, len(fresh), MAX_POINTS_PER_BATCH):
            batch = fresh[first : first + MAX_POINTS_PER_BATCH]
            metrics = [Metric(point.name, point.value, point.time_ms, point.step) for point in batch]
            client.log_batch(mlflow_run_id, metrics=metrics)
        # Only now: a batch that did not arrive is sent again.
        for point in fresh:
            self._steps[point.name].add(point.step)
        self._waiting.clear()

    def _fresh(self, client: "MlflowClient", mlflow_run_id: str) -> list[Point]:
        fresh: dict[tuple[str, int], Point] = {}
        unseen = {point.name for point in self._waiting} - set(self._steps)
        # An earlier attempt of this stage may have sent some; MLflow would keep both, and draw the curve twice.
        known = set(client.get_run(mlflow_run_id).data.metrics) if unseen else set()
        for name in sorted(unseen):
            history = client.get_metric_history(mlflow_run_id, name) if name in known else []
            self._steps[name] = {metric.step for metric in history}
        for point in self._waiting:
            if point.step not in self._steps[point.name]:
                fresh.setdefault((point.name, point.step), point)
        return list(fresh.values())
