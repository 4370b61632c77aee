"""The identity of a data set, which enters the key of the ingested catalog."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pinsage.ingest.pictures.files import picture_file
from pinsage.ingest.source.contract import FORMAT
from pinsage.ingest.source.dataset import Dataset
from pinsage.ingest.source.digests import FileDigests
from pinsage.ingest.source.point_in_time import point_in_time
from pinsage.ingest.source.table import SourceTable
from pinsage.settings.schema import Settings


def dataset_identity(settings: Settings, home: Path) -> dict[str, Any]:
    """Return the identity of the data set that `settings.data` names, as plain JSON values.

    Per table a SHA-256 of each file; a file that has not changed since it was read for an earlier run is not read
    again. Pictures that lie beside the tables enter by path, size and time of change: reading a million files to find
    nothing new would cost more than the run. `as_of` is clamped to the newest time in the data (`point_in_time`), so
    that a later day alone makes no new catalog. `future_rows` is there because a row of tomorrow is quarantined today
    and kept tomorrow.

    Args:
        settings: of the run.
        home: the pipeline's data folder, with the digests of files that were read before.

    Raises:
        DatasetError: the data set or a table is missing or malformed.
    """
    digests = FileDigests.of_data_set(settings.data.dataset, home)
    identity = identity_at(settings, datetime.now(UTC), digests)
    digests.remember()
    return identity


def identity_at(settings: Settings, now: datetime, digests: FileDigests | None = None) -> dict[str, Any]:
    """Return `dataset_identity` at another wall clock.

    Raises:
        DatasetError: the data set or a table is missing or malformed.
    """
    dataset, digests = Dataset.open(settings.data.dataset), digests or FileDigests(None)
    tables = dataset.tables()
    point = point_in_time(tables, settings.data.as_of, now=now)
    return {
        "format": FORMAT,
        "tables": {table.spec.name: {file.name: digests.sha256(file) for file in table.files} for table in tables},
        "picture_files": _picture_files_digest(dataset, tables[0]),
        "as_of": point.as_of_text(),
        "future_rows": point.num_future,
    }


def _picture_files_digest(dataset: Dataset, pins: SourceTable) -> str:
    """Return a digest over path, size and time of change of every `image_path`, or '' without such a column."""
    if "image_path" not in pins.present:
        return ""
    digest, paths = hashlib.sha256(), set()
    for batch in pins.batches(["image_path"]):
        paths.update(batch.column("image_path").unique().drop_null().to_pylist())
    for path in sorted(paths):
        file = picture_file(dataset, path)
        digest.update(json.dumps([path, file.size_bytes, file.modified_ns, file.fault]).encode())
    return digest.hexdigest()
