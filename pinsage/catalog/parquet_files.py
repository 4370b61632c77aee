"""How every Parquet file of the catalog and of the pairs is written: zstd, page checksums, the same bytes each time."""

from collections.abc import Iterator
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
    schema = schema or table.schema
    with parquet_writer(path, schema) as writer:
        for start in range(0, max(table.num_rows, 1), ROW_GROUP_ROWS):
            rows = table.select(schema.names).slice(start, ROW_GROUP_ROWS).combine_chunks()
            writer.write_table(rows.cast(schema), row_group_size=ROW_GROUP_ROWS)


@contextmanager
def parquet_writer(path: Path, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    """An open writer with the house's compression and checksums; pictures are not dictionary-encoded.

    A page is what a reader must hold at once, and Arrow looks at its size only after every batch of values: 1,024
    pictures would make one page of 100 MB.
    """
    dictionary = [field.name for field in schema if not pa.types.is_binary(field.type)]
    has_pictures = len(dictionary) < len(schema)
    statistics = [name for name in dictionary if not pa.types.is_nested(schema.field(name).type)]
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
