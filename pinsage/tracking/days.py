"""The curves over days of a data set: one MLflow run per registered model, with a point per metric and day.

A metric of an ordinary run is one number, and the page of an experiment draws bars of those. Here the step is the day,
so that a month is a curve. These runs have an experiment of their own: in the other one a run is a run of the pipeline.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from pinsage.settings.schema import TrackingSettings
from pinsage.tracking.points import Points
from pinsage.tracking.server import Server

DAYS_TAG = "pinsage.days_of"


def days_server(settings: TrackingSettings, home: Path) -> Server:
    """The MLflow server, with the experiment of the curves: `<experiment> over days`."""
    return Server(settings.model_copy(update={"experiment": f"{settings.experiment} over days"}), home)


def log_day(server: Server, model_name: str, at: datetime, metrics: Mapping[str, float]) -> str:
    """Add the metrics of a day to the curves of a registered model; return the id of their MLflow run.

    The step is the day since 1970-01-01, the time of a point is `at`. The first value of a metric on a day stands.

    Args:
        server: of `days_server`.
        model_name: the registered model, which stands for the data set.
        at: the instant up to which the data of the run were read.
        metrics: by name.

    Raises:
        TrackingError: MLflow does not answer or refuses.
    """
    with server.clear_errors():
        with server.one_at_a_time():  # two runs at once would make two
            run_id = _find_or_create(server, model_name)
        points = Points()
        points.add(metrics, step=int(at.timestamp() // 86_400), time_ms=int(at.timestamp() * 1000))
        points.send(server.client, run_id)
    return run_id


def day_of(as_of: str, started_at: str) -> datetime:
    """The instant that a run speaks of: up to when its data were read, or its start where these have no times."""
    at = datetime.fromisoformat(as_of or started_at)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _find_or_create(server: Server, model_name: str) -> str:
    found = server.find_run(DAYS_TAG, model_name) or server.create_run_once(DAYS_TAG, model_name, model_name)
    if found.info.status != "FINISHED":  # it is new, or was made by a process that came no further
        server.client.set_terminated(found.info.run_id, "FINISHED")  # it takes points all the same
    return str(found.info.run_id)
