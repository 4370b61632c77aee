"""Saves and engagements: the rows that are kept, as pairs of node numbers with a time.

The engine's tables: `read_saves` has every row, with the numbers of its ends or the first reason against it,
`repeated_saves` the rows that repeat a better save, `bad_saves` both kinds of bad rows; the same for engagements.
"""

from pathlib import Path

import pyarrow as pa

from pinsage.catalog.schema import PUBLISHED_ENGAGEMENTS, PUBLISHED_SAVES, WEIGHT
from pinsage.errors import DatasetError
from pinsage.ingest.quarantine import Quarantine, TableCount
from pinsage.ingest.source.point_in_time import FIRST_TIME, PointInTime
from pinsage.ingest.source.table import SourceTable
from pinsage.store.parquet_files import write_tables

# A row later than as_of does not exist, whatever else is wrong with it; of the reasons against a row the first counts.
# The first condition lets most rows pass at once: one after the other the reasons take as long as a join.
READ = """
CREATE TABLE read_{table} AS
SELECT source.row, lefts.number AS {left}, rights.number AS {right}, "{time}" {weight},
    CASE
        WHEN lefts.number IS NOT NULL AND rights.number IS NOT NULL {has_good_weight}
            AND coalesce("{time}" BETWEEN $first AND $as_of, "{time}" IS NULL) THEN NULL
        WHEN "{time}" >= $future THEN '{time} is in the future'
        WHEN "{time}" > $as_of THEN 'later'
        WHEN "{time}" < $first THEN '{time} is before the year 1'
        WHEN lefts.number IS NULL THEN coalesce(id_fault('{left_id}', source.{left_id}), 'unknown {left_id}')
        WHEN rights.number IS NULL THEN coalesce(id_fault('{right_id}', source.{right_id}), 'unknown {right_id}')
        {weight_fault}
    END AS reason,
    CASE WHEN reason <> 'later' THEN shown(source.{left_id}) END AS {left_id},
    CASE WHEN reason <> 'later' THEN shown(source.{right_id}) END AS {right_id}
FROM source
LEFT JOIN {lefts} AS lefts ON lefts.id = source.{left_id}
LEFT JOIN {rights} AS rights ON rights.id = source.{right_id}
"""
# Of the saves of a pin to a board the earliest is kept (one without a time is later than all), of these the heaviest.
REPEATED = """
CREATE TABLE repeated_saves AS
SELECT row, board, pin, saved_at {weight}
FROM read_saves
SEMI JOIN (SELECT board, pin FROM read_saves WHERE reason IS NULL GROUP BY board, pin HAVING count(*) > 1)
    USING (board, pin)
WHERE reason IS NULL
QUALIFY row_number() OVER (PARTITION BY board, pin ORDER BY saved_at NULLS LAST, {heaviest} row) > 1
"""
BAD = """
CREATE TABLE bad_{table} AS
SELECT row, reason, {left_id}, {right_id}, iso("{time}") AS "{time}" {weight}
FROM read_{table}
WHERE reason <> 'later'
"""
BAD_REPEATED = """
INSERT INTO bad_saves
SELECT repeated.row, 'duplicate save', boards.id, pins.id, iso(saved_at) {weight}
FROM repeated_saves AS repeated JOIN boards ON boards.number = board JOIN pins ON pins.number = pin
"""
SAVES = """
SELECT board, pin, saved_at {published_weight}
FROM read_saves ANTI JOIN repeated_saves USING (row)
WHERE reason IS NULL
ORDER BY board, saved_at NULLS FIRST, pin
"""
ENGAGEMENTS = """
SELECT query, positive, "at"
FROM read_engagements
WHERE reason IS NULL
ORDER BY query, positive, "at" NULLS FIRST
"""
WITH_WEIGHTS = {
    "weight": ", weight",
    "has_good_weight": "AND coalesce(try_cast(weight AS FLOAT) > 0 AND isfinite(weight), weight IS NULL)",
    "weight_fault": "ELSE 'weight is not a positive number'",
    "heaviest": "coalesce(weight, 1) DESC,",
    "published_weight": ", coalesce(weight, 1)::FLOAT AS weight",
}
WITHOUT_WEIGHTS = dict.fromkeys(WITH_WEIGHTS, "")


def keep_saves(source: SourceTable, quarantine: Quarantine, *, point: PointInTime, out: Path) -> TableCount:
    """Write the usable saves: unique (board, pin), the earliest of each; by board, time (unknown first) and pin.

    Raises:
        DatasetError: too many rows cannot be used, or none is left.
    """
    has_weights = WEIGHT.name in source.present
    words = WITH_WEIGHTS if has_weights else WITHOUT_WEIGHTS
    _read(source, quarantine, point, words | {"left": "board", "right": "pin", "lefts": "boards", "rights": "pins"})
    for statement in (REPEATED, BAD_REPEATED):
        quarantine.engine.run(statement.format(**words))
    schema = PUBLISHED_SAVES.append(WEIGHT) if has_weights else PUBLISHED_SAVES
    count = _write(source, quarantine, SAVES.format(**words), schema, out)
    _check_some_left(count, point)
    return count


def keep_engagements(source: SourceTable, quarantine: Quarantine, *, point: PointInTime, out: Path) -> TableCount:
    """Write the usable engagements, repeated ones included, by query, positive and time.

    Raises:
        DatasetError: too many rows cannot be used.
    """
    ends = {"left": "query", "right": "positive", "lefts": "pins", "rights": "pins"}
    _read(source, quarantine, point, WITHOUT_WEIGHTS | ends)
    return _write(source, quarantine, ENGAGEMENTS, PUBLISHED_ENGAGEMENTS, out)


def _read(source: SourceTable, quarantine: Quarantine, point: PointInTime, words: dict[str, str]) -> None:
    """Make the tables of all rows and of the bad ones."""
    spec, engine = source.spec, quarantine.engine
    names = [*spec.ids, spec.time, *([WEIGHT.name] if words["weight"] else [])]
    words = words | {"table": spec.name, "left_id": spec.ids[0], "right_id": spec.ids[1], "time": spec.time}
    with engine.source(source.schema(names), source.batches(names)):
        engine.run(READ.format(**words), future=point.future, as_of=point.as_of, first=FIRST_TIME)
    engine.run(BAD.format(**words))


def _write(source: SourceTable, quarantine: Quarantine, sql: str, schema: pa.Schema, out: Path) -> TableCount:
    """Write the kept rows and return what became of all of them.

    Raises:
        DatasetError: too many rows cannot be used.
        PinSageError: rows were lost or doubled.
    """
    table, engine = source.spec.name, quarantine.engine
    ((later,),) = engine.rows(f"SELECT count(*) FROM read_{table} WHERE reason = 'later'")
    quarantined = quarantine.take(table, source, exist=source.num_rows - later)
    count = TableCount(table, source.num_rows, write_tables(out, engine.tables(sql), schema), quarantined, later)
    count.check()
    engine.run(f"DROP TABLE read_{table}")
    return count


def _check_some_left(count: TableCount, point: PointInTime) -> None:
    """Refuse a data set of which no save is left.

    Raises:
        DatasetError: nothing is left at as_of.
    """
    if not count.kept:
        raise DatasetError(
            f"saves: none of {count.rows_in:,} rows is left at as_of = {point.as_of_text() or 'now'} "
            f"({count.later:,} are later). Choose a later data.as_of, or check the export."
        )
