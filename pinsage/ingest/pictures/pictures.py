"""Pictures: found in a column or as files, checked for size and place, written in ascending order of their pin.

The engine's tables: `found_pictures` has a row for each picture of a row of `pins`, `pictures` those of kept pins with
the first reason against each. Pictures of a column are copied once into a scratch file, from which they are read in the
order of the pins; memory is one read batch of 16 pictures, or one row group.
"""

import hashlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from pinsage.catalog.schema import PUBLISHED_PICTURES
from pinsage.ingest.pictures.files import picture_file, read_picture_file
from pinsage.ingest.quarantine import Quarantine, TableCount
from pinsage.ingest.source.dataset import Dataset
from pinsage.ingest.source.table import BATCH_ROWS, SourceTable
from pinsage.store.parquet_files import parquet_writer

READ_AT_ONCE = 16
ROW_GROUP_PICTURES = 256
STRETCH_BYTES = 64_000_000  # a row group ends where this many bytes of pictures are full
FOUND = pa.schema(
    [
        ("row", pa.int64()),
        ("image_path", pa.large_string()),
        ("size_bytes", pa.int64()),
        ("digest", pa.string()),
        ("start", pa.int64()),
        ("fault", pa.string()),
    ]
)
Row = dict[str, Any]  # one of the engine's rows, by the names of its columns

CHECKED = """
CREATE TABLE pictures AS
SELECT row, number AS pin, id AS pin_id, image_path, size_bytes, start,
    CASE
        WHEN fault IS NOT NULL THEN fault
        WHEN size_bytes = 0 THEN 'picture file is empty'
        WHEN size_bytes > $max_mb * 1e6 THEN 'picture is larger than ' || $shown_mb || ' MB'
    END AS reason
FROM found_pictures JOIN pins USING (row)
"""
BAD = """
CREATE TABLE bad_pictures AS
SELECT row, reason, shown(pin_id) AS pin_id {image_path}, size_bytes FROM pictures WHERE reason IS NOT NULL
"""
KEPT = """
SELECT pin, image_path, size_bytes, start FROM pictures WHERE reason IS NULL ORDER BY pin
"""


def find_pictures(dataset: Dataset, source: SourceTable, quarantine: Quarantine, *, scratch: Path) -> None:
    """Make the engine's table `found_pictures`, and the scratch file of those that lie in a column.

    Bytes in `image` go before a file in `image_path`.
    """
    with scratch.open("wb") as copy, quarantine.engine.source(FOUND, _search(dataset, source, copy)):
        quarantine.engine.run("CREATE TABLE found_pictures AS FROM source")


def keep_pictures(
    dataset: Dataset, source: SourceTable, quarantine: Quarantine, *, max_mb: float, scratch: Path, out: Path
) -> TableCount:
    """Write `pictures.parquet` with the usable pictures of the kept pins and return what became of all of them.

    A pin whose picture is refused stays a pin, without a picture.

    Args:
        dataset: where picture files lie.
        source: the table `pins`.
        quarantine: takes the refused pictures.
        max_mb: what is larger is refused.
        scratch: what `find_pictures` wrote; it is removed.
        out: the file to write.

    Raises:
        DatasetError: too many pictures are refused.
        PinSageError: a picture file changed while it was read.
    """
    engine = quarantine.engine
    engine.run(CHECKED, max_mb=max_mb, shown_mb=f"{max_mb:g}")
    has_paths = "image_path" in source.present
    engine.run(BAD.format(image_path=", shown(image_path) AS image_path" if has_paths else ""))
    ((exist,),) = engine.rows("SELECT count(*) FROM pictures")
    quarantined = quarantine.take("pictures", source, exist=exist)
    with scratch.open("rb") as copy, parquet_writer(out, PUBLISHED_PICTURES) as writer:
        kept = sum(_write_group(dataset, group, copy, writer) for group in _row_groups(engine.tables(KEPT)))
    scratch.unlink()
    count = TableCount("pictures", exist, kept, quarantined, 0)
    count.check()
    return count


def _search(dataset: Dataset, source: SourceTable, copy: BinaryIO) -> Iterator[pa.RecordBatch]:
    names: list[str] = [name for name in ("image", "image_path") if name in source.present]
    batch_rows = READ_AT_ONCE if "image" in names else BATCH_ROWS
    for batch in source.batches(names, batch_rows) if names else ():
        rows = [
            _picture_row(dataset, row, copy) for row in batch.to_pylist() if row.get("image") or row.get("image_path")
        ]
        if rows:
            yield pa.RecordBatch.from_pylist(rows, schema=FOUND)


def _picture_row(dataset: Dataset, row: Row, copy: BinaryIO) -> Row:
    image = row.get("image")
    if image:
        start = copy.tell()
        copy.write(image)
        return {
            "row": row["row"],
            "size_bytes": len(image),
            "digest": hashlib.sha256(image).hexdigest(),
            "start": start,
        }
    file = picture_file(dataset, row["image_path"])
    return {"row": row["row"], "image_path": file.name, "size_bytes": file.size_bytes, "fault": file.fault or None}


def _row_groups(tables: Iterator[pa.Table]) -> Iterator[list[Row]]:
    """Cut the kept pictures into groups that end after 256 pictures and at every 64 MB of all of them."""
    group: list[Row] = []
    end = stretch = 0
    for row in chain.from_iterable(table.to_pylist() for table in tables):
        end += row["size_bytes"]
        if group and (len(group) == ROW_GROUP_PICTURES or (end - 1) // STRETCH_BYTES != stretch):
            yield group
            group = []
        stretch = (end - 1) // STRETCH_BYTES
        group.append(row)
    if group:
        yield group


def _write_group(dataset: Dataset, group: list[Row], copy: BinaryIO, writer: pq.ParquetWriter) -> int:
    pictures = pa.array([_read(dataset, row, copy) for row in group], pa.binary())
    pins = pa.array([row["pin"] for row in group], pa.int32())
    writer.write_table(pa.table([pins, pictures], schema=PUBLISHED_PICTURES), row_group_size=len(group))
    return len(group)


def _read(dataset: Dataset, row: Row, copy: BinaryIO) -> bytes:
    if row["start"] is None:
        return read_picture_file(dataset, row["image_path"], row["size_bytes"])
    copy.seek(row["start"])
    return copy.read(row["size_bytes"])
