"""Until when a run looks at its data: the instant `as_of`, clamped to the newest time that is not in the future.

Times are int64 microseconds since 1970 UTC, as `columns.canonical` makes them.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from pinsage.catalog.dataset import SourceTable
from pinsage.catalog.footer import NO_TIME, Footer
from pinsage.catalog.records import EPOCH, iso

MICROSECOND = timedelta(microseconds=1)
FIRST_TIME = (datetime(1, 1, 1, tzinfo=UTC) - EPOCH) // MICROSECOND


@dataclass(frozen=True)
class PointInTime:
    """`as_of`: later rows do not exist; None where no row has a time. `future`: from here on a time is an error.

    `newest` is the newest time before `future`; `num_future` counts the rows at or after it.
    """

    as_of: int | None
    future: int
    newest: int | None = None
    num_future: int = 0

    def as_of_text(self) -> str:
        """The instant as ISO 8601 text, or '' where no row has a time."""
        return "" if self.as_of is None else iso(self.as_of)


def point_in_time(tables: list[SourceTable], as_of: datetime | None, *, now: datetime) -> PointInTime:
    """The point in time of a data set.

    An `as_of` later than all the data means the same as the newest time of the data, so that a run over unchanged
    data finds the catalog that an earlier day made. A row of tomorrow or later is a mistake of its writer and does not
    count as the newest. Times are only read where the footers do not tell the newest one.

    Args:
        tables: the tables of the data set.
        as_of: what the settings ask for; None is `now`, and without a time zone it is UTC.
        now: the wall clock.

    Raises:
        DatasetError: a file cannot be decoded.
    """
    future = micros(now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1))
    newest, num_future = NO_TIME, 0
    for table in tables:
        if table.spec.time in table.present:
            in_table, beyond = _newest(table, future)
            newest, num_future = max(newest, in_table), num_future + beyond
    if newest == NO_TIME:
        return PointInTime(None, future, None, num_future)
    wanted = future - 1 if as_of is None else micros(as_of)
    return PointInTime(min(newest, wanted), future, newest, num_future)


def _newest(table: SourceTable, future: int) -> tuple[int, int]:
    """The newest time of a table before `future`, and how many rows are not before it."""
    told = [newest for footer in table.footers for newest in _told(footer, table.spec.time)]
    sizes = [size for footer in table.footers for size in footer.rows]
    is_open = np.array([newest is None or newest >= future for newest in told], bool)
    newest, num_future = max((time for time in told if time is not None and time < future), default=NO_TIME), 0
    if is_open.any():
        for _, batch in table.batches([table.spec.time], wanted=np.repeat(is_open, sizes)):
            times = batch.column(0).fill_null(NO_TIME).to_numpy()
            num_future += int((times >= future).sum())
            newest = max(newest, int(times.max(where=times < future, initial=NO_TIME)))
    return newest, num_future


def _told(footer: Footer, name: str) -> tuple[int | None, ...]:
    has_column = name in footer.sizes
    return footer.newest.get(name, (None,) * len(footer.rows)) if has_column else (NO_TIME,) * len(footer.rows)


def micros(instant: datetime) -> int:
    """Microseconds since 1970 UTC; an instant without a time zone is UTC."""
    aware = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant
    return (aware - EPOCH) // MICROSECOND
