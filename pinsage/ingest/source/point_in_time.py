"""Until when a run looks at its data: the instant `as_of`, clamped to the newest time that is not in the future.

Times are int64 microseconds since 1970 UTC, as `columns.canonical` makes them.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow.compute as pc

from pinsage.ingest.source.table import SourceTable

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
FIRST_TIME = (datetime(1, 1, 1, tzinfo=UTC) - EPOCH) // MICROSECOND
LAST_TIME = (datetime.max.replace(tzinfo=UTC) - EPOCH) // MICROSECOND


@dataclass(frozen=True)
class PointInTime:
    """`as_of`: later rows do not exist; None where no row has a time. `future`: from here on a time is an error.

    `num_future` counts the rows at or after it.
    """

    as_of: int | None
    future: int
    num_future: int = 0

    def as_of_text(self) -> str:
        """Return the instant as ISO 8601 text, or '' where no row has a time."""
        return "" if self.as_of is None else (EPOCH + self.as_of * MICROSECOND).isoformat()


def point_in_time(tables: list[SourceTable], as_of: datetime | None, *, now: datetime) -> PointInTime:
    """Return the point in time of a data set.

    An `as_of` later than all the data means the same as the newest time of the data, so that a run over unchanged
    data finds the catalog that an earlier day made. A row of tomorrow or later is a mistake of its writer and does not
    count as the newest. The times are read, not believed from footers, which a writer may have filled with anything.

    Args:
        tables: the tables of the data set.
        as_of: what the settings ask for; None is `now`, and without a time zone it is UTC.
        now: the wall clock.

    Raises:
        DatasetError: a file cannot be decoded.
    """
    future = micros(now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1))
    newest, num_future = None, 0
    for table in tables:
        for batch in table.batches([table.spec.time]) if table.spec.time in table.present else ():
            times = batch.column(1)
            is_past = pc.less(times, future)
            num_future += len(times) - times.null_count - (pc.sum(is_past).as_py() or 0)
            found = pc.max(times.filter(is_past)).as_py()
            newest = max((time for time in (newest, found) if time is not None), default=None)
    if newest is None:
        return PointInTime(None, future, num_future)
    return PointInTime(min(newest, future - 1 if as_of is None else micros(as_of)), future, num_future)


def micros(instant: datetime) -> int:
    """Return microseconds since 1970 UTC; an instant without a time zone is UTC."""
    aware = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant
    return (aware - EPOCH) // MICROSECOND
