"""Parquet files as every stage writes them: zstd, page checksums, the same bytes each time."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROW_GROUP_ROWS = 65_536
PICTURES_PER_BATCH = 16


def write_parquet(path: Path, table: pa.Table, schema: pa.Schema | None = None) -> None:
    """Write a table in row groups of 65,536 rows; the bytes depend on its rows, not on how they are chunked.

    Args:
        path: the file to write.
        table: its columns are cast to `schema`, so that it may hold large strings in memory.
        schema: the schema of the file; the table's own if None.
    """
    write_tables(path, [table], schema or table.schema)


def write_tables(path: Path, tables: Iterable[pa.Table], schema: pa.Schema) -> int:
    """Write tables one behind the other as `write_parquet` does one, holding no more than one and a row group.

    Returns:
        how many rows were written.
    """
    rows, waiting = 0, schema.empty_table()
    with parquet_writer(path, schema) as writer:
        for table in tables:
            for start in range(0, table.num_rows, ROW_GROUP_ROWS):
                part = table.select(schema.names).slice(start, ROW_GROUP_ROWS)
                # In one chunk: Arrow's pages follow the borders of the chunks that it is given.
                waiting = pa.concat_tables([waiting, pa.table(part.combine_chunks().cast(schema))])
                if waiting.num_rows >= ROW_GROUP_ROWS:
                    rows += _write_group(writer, waiting.slice(0, ROW_GROUP_ROWS))
                    waiting = waiting.slice(ROW_GROUP_ROWS)
        if waiting.num_rows or not rows:
            rows += _write_group(writer, waiting)
    return rows


def _write_group(writer: pq.ParquetWriter, rows: pa.Table) -> int:
    writer.write_table(rows.combine_chunks(), row_group_size=ROW_GROUP_ROWS)
    return int(rows.num_rows)


@contextmanager
def parquet_writer(path: Path, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    """An open writer with the house's compression and checksums.

    Pictures are not dictionary-encoded, nor are numbers and times behind the first column, which is the one in order:
    for random row numbers a dictionary is larger than they are and takes three times as long.

    A page is what a reader must hold at once, and Arrow looks at its size only after every batch of values: 1,024
    pictures would make one page of 100 MB.
    """
    has_pictures = any(pa.types.is_binary(field.type) for field in schema)
    dictionary = [field.name for place, field in enumerate(schema) if place == 0 or _is_worded(field.type)]
    statistics = [
        field.name for field in schema if not (pa.types.is_binary(field.type) or pa.types.is_nested(field.type))
    ]
    with pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        write_page_checksum=True,
        write_batch_size=PICTURES_PER_BATCH if has_pictures else None,
        use_dictionary=dictionary or False,
        write_statistics=statistics or False,
    ) as writer:
        yield writer


def _is_worded(found: pa.DataType) -> bool:
    return bool(pa.types.is_string(found) or pa.types.is_large_string(found) or pa.types.is_nested(found))
