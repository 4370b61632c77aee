"""What makes one data set the same as another: it enters the key of the ingested catalog."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pyarrow.compute as pc

from pinsage.catalog.dataset import Dataset, SourceFile, SourceTable
from pinsage.catalog.picture_files import picture_file
from pinsage.catalog.point_in_time import point_in_time
from pinsage.settings import Settings

READ_BYTES = 1 << 22


def dataset_identity(settings: Settings) -> dict[str, Any]:
    """The identity of the data set that `settings.data` names, as plain JSON values.

    Per table a SHA-256 over the names and contents of its files. Pictures that lie beside the tables enter by path,
    size and time of change: reading a million files to find nothing new would cost more than the run. `as_of` is
    clamped to the newest time in the data (`point_in_time`), so that a later day alone makes no new catalog.
    `future_rows` is there because a row of tomorrow is quarantined today and kept tomorrow.

    Raises:
        DatasetError: the data set or a table is missing or malformed.
    """
    return identity_at(settings, datetime.now(UTC))


def identity_at(settings: Settings, now: datetime) -> dict[str, Any]:
    """`dataset_identity` at another wall clock.

    Raises:
        DatasetError: the data set or a table is missing or malformed.
    """
    dataset = Dataset.open(settings.data.dataset)
    tables = dataset.tables()
    point = point_in_time(tables, settings.data.as_of, now=now)
    return {
        "tables": {table.spec.name: _table_digest(table) for table in tables},
        "picture_files": _picture_files_digest(dataset, tables[0]),
        "as_of": point.as_of_text(),
        "future_rows": point.num_future,
    }


def _table_digest(table: SourceTable) -> str:
    listing = [(file.name, _file_digest(file)) for file in table.files]
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()


def _file_digest(file: SourceFile) -> str:
    digest = hashlib.sha256()
    with file.filesystem.open_input_stream(file.path) as stream:
        while block := stream.read(READ_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _picture_files_digest(dataset: Dataset, pins: SourceTable) -> str:
    """A digest over path, size and time of change of every `image_path`, or '' where there is no such column."""
    if "image_path" not in pins.present:
        return ""
    digest = hashlib.sha256()
    for path in sorted(pc.unique(pins.column("image_path")).drop_null().to_pylist()):
        file = picture_file(dataset, path)
        digest.update(json.dumps([path, file.size_bytes, file.modified_ns, file.fault]).encode())
    return digest.hexdigest()
