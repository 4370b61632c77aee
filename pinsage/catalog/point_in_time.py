"""Until when a run looks at its data: the instant `as_of`, clamped to the newest time that is not in the future.

Times are int64 microseconds since 1970 UTC, as `columns.canonical` makes them.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from pinsage.catalog.dataset import SourceTable

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
FIRST_TIME = (datetime(1, 1, 1, tzinfo=UTC) - EPOCH) // MICROSECOND


@dataclass(frozen=True)
class PointInTime:
    """`as_of`: later rows do not exist; None where no row has a time. `future`: from here on a time is an error.

    `num_future` counts the rows at or after `future`.
    """

    as_of: int | None
    future: int
    num_future: int = 0

    def as_of_text(self) -> str:
        """The instant as ISO 8601 text, or '' where no row has a time."""
        return "" if self.as_of is None else iso(self.as_of)


def point_in_time(tables: list[SourceTable], as_of: datetime | None, *, now: datetime) -> PointInTime:
    """The point in time of a data set.

    An `as_of` later than all the data means the same as the newest time of the data, so that a run over unchanged
    data finds the catalog that an earlier day made. A row of tomorrow or later is a mistake of its writer and does not
    count as the newest.

    Args:
        tables: the tables of the data set.
        as_of: what the settings ask for; None is `now`, and without a time zone it is UTC.
        now: the wall clock.
    """
    future = micros(now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1))
    newest, num_future = None, 0
    for table in tables:
        if not table.spec.time or table.spec.time not in table.present:
            continue
        times = table.read([table.spec.time]).column(0)
        is_future = pc.greater_equal(times, pa.scalar(future, pa.int64()))
        num_future += pc.sum(is_future).as_py() or 0
        latest = pc.max(times.filter(pc.invert(is_future))).as_py()
        newest = latest if newest is None or (latest is not None and latest > newest) else newest
    wanted = future - 1 if as_of is None else micros(as_of)
    return PointInTime(None if newest is None else min(newest, wanted), future, num_future)


def micros(instant: datetime) -> int:
    """Microseconds since 1970 UTC; an instant without a time zone is UTC."""
    aware = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant
    return (aware - EPOCH) // MICROSECOND


def iso(time: int) -> str:
    """The ISO 8601 text of a time, or its number of microseconds where no calendar has that year."""
    try:
        return (EPOCH + time * MICROSECOND).isoformat()
    except OverflowError:
        return f"{time} us"
