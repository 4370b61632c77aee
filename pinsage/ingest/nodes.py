"""Pins and boards: the rows that are kept, and the number of each.

The engine's tables: `read_pins` has every row, `pins` (id, number, row) those that are kept, `bad_pins` the others; the
same for boards. Row i of the published table is node i, by ascending id.
"""

from pathlib import Path

import pyarrow as pa

from pinsage.errors import DatasetError
from pinsage.ingest.quarantine import Quarantine, TableCount
from pinsage.ingest.source.columns import Caps
from pinsage.ingest.source.table import SourceTable
from pinsage.store.parquet_files import write_tables

MAX_ROWS = 2**31 - 1

READ = """
CREATE TABLE read_{table} AS SELECT *, id_fault('{id}', {id}) AS reason FROM {rows}
"""
# Of rows with one id the first by content is kept, a missing value being last, so that neither their order nor their
# files matter. Only rows whose id comes again are put in order.
REPEATED = """
CREATE TABLE repeated_{table} AS
SELECT row FROM read_{table}
WHERE reason IS NULL
    AND {id} IN (SELECT {id} FROM read_{table} WHERE reason IS NULL GROUP BY {id} HAVING count(*) > 1)
QUALIFY row_number() OVER (PARTITION BY {id} ORDER BY {content}, row) > 1
"""
NUMBERED = """
CREATE TABLE {table} AS
SELECT {id} AS id, (row_number() OVER (ORDER BY {id}) - 1)::INTEGER AS number, row
FROM read_{table} ANTI JOIN repeated_{table} USING (row)
WHERE reason IS NULL
"""
BAD = """
CREATE TABLE bad_{table} AS
SELECT row, coalesce(reason, 'duplicate {id}') AS reason, shown({id}) AS {id}, shown(title) AS title
FROM read_{table}
WHERE reason IS NOT NULL OR row IN (FROM repeated_{table})
"""
PUBLISHED = """
SELECT {names} FROM read_{table} JOIN {table} USING (row) ORDER BY number
"""
WITH_PICTURES = "source LEFT JOIN (SELECT row, digest FROM found_pictures) USING (row)"


def keep_nodes(
    source: SourceTable, quarantine: Quarantine, *, schema: pa.Schema, caps: Caps, out: Path, has_pictures: bool = False
) -> TableCount:
    """Write the usable rows of a table of pins or boards into the folder `out`, row i being node i.

    Args:
        source: the table.
        quarantine: takes the other rows; its engine gets the tables that the head of this module names.
        schema: of the published table, the id first.
        caps: of texts.
        out: a folder.
        has_pictures: whether the engine's `found_pictures` help to choose between rows with one id.

    Raises:
        DatasetError: too many rows cannot be used.
        PinSageError: rows were lost or doubled.
    """
    table, engine, num_rows = source.spec.name, quarantine.engine, source.num_rows
    _check_countable(table, num_rows)
    names = [*schema.names, *(name for name in ("image_path",) if has_pictures and name in source.present)]
    words = {
        "table": table,
        "id": names[0],
        "rows": WITH_PICTURES if has_pictures else "source",
        "content": ", ".join([*names[1:], *(["digest"] if has_pictures else [])]),
        "names": ", ".join(schema.names),
    }
    with engine.source(source.schema(names), source.batches(names, caps=caps)):
        engine.run(READ.format(**words))
    for statement in (REPEATED, NUMBERED, BAD):
        engine.run(statement.format(**words))
    quarantined = quarantine.take(table, source, exist=num_rows)
    kept = write_tables(out / f"{table}.parquet", engine.tables(PUBLISHED.format(**words)), schema)
    engine.run(f"DROP TABLE read_{table}")
    count = TableCount(table, num_rows, kept, quarantined, 0, caps.report(table))
    count.check()
    return count


def _check_countable(table: str, num_rows: int) -> None:
    if num_rows > MAX_ROWS:
        raise DatasetError(
            f"{table}: {num_rows:,} rows are more than {MAX_ROWS:,}, the most that a row number can count. "
            "Split the data set."
        )
