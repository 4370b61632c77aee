"""Pictures: found in a column or as files, and judged by size and place. Nothing is decoded here.

N rows of `pins`, P pins. Memory: one read batch of 16 pictures, and what `picture_order.py` needs.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pinsage.catalog.dataset import Dataset, SourceTable
from pinsage.catalog.judge import Judge
from pinsage.catalog.nodes import Nodes
from pinsage.catalog.picture_files import FAULTS, PictureFile, picture_file, read_picture_file
from pinsage.catalog.picture_order import Dealing
from pinsage.catalog.quarantine import Origins, Records, TableCount, Verdicts
from pinsage.catalog.records import json_records

BATCH = 16


@dataclass(frozen=True)
class FoundPictures:
    """Where the picture of each row of `pins` is and how large.

    `sizes` int64 [N], 0 where there is none; `files` are those that lie beside the table, by row.
    """

    dataset: Dataset
    source: SourceTable
    sizes: NDArray[np.int64]
    files: Mapping[int, PictureFile] = field(repr=False)

    def batches(self, wanted: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.int64], pa.Array]]:
        """Rows and their encoded pictures, for rows in `wanted` (bool [N]) that have one; at most 16 at a time."""
        in_column = wanted & (self.sizes > 0)
        in_column[list(self.files)] = False
        for start, batch in self.source.batches(["image"], BATCH, wanted=in_column):
            chosen = np.flatnonzero(in_column[start : start + batch.num_rows])
            if len(chosen):
                yield start + chosen, batch.column(0).take(pa.array(chosen))
        for row, file in self.files.items():
            if wanted[row] and not file.fault:
                yield np.array([row]), pa.array([read_picture_file(self.dataset, file)], pa.large_binary())


def find_pictures(dataset: Dataset, source: SourceTable) -> FoundPictures:
    """The pictures of the table `pins`; bytes in `image` go before a file in `image_path`."""
    sizes = np.zeros(source.num_rows, np.int64)
    for start, batch in source.batches(["image"], BATCH):
        lengths = pc.binary_length(batch.column(0)).fill_null(0).to_numpy(zero_copy_only=False)
        sizes[start : start + len(lengths)] = lengths
    files = dict(_files(dataset, source, sizes == 0)) if "image_path" in source.present else {}
    for row, file in files.items():
        sizes[row] = file.size_bytes
    return FoundPictures(dataset, source, sizes, files)


def picture_digests(found: FoundPictures) -> Callable[[NDArray[np.int64]], Mapping[int, str]]:
    """A function from rows to the SHA-256 of their pictures, for the few rows that share an id."""

    def digests(rows: NDArray[np.int64]) -> Mapping[int, str]:
        wanted = np.zeros(len(found.sizes), bool)
        wanted[rows] = True
        return {
            int(row): hashlib.sha256(picture.as_py()).hexdigest()
            for batch_rows, pictures in found.batches(wanted)
            for row, picture in zip(batch_rows, pictures, strict=True)
        }

    return digests


def keep_pictures(found: FoundPictures, pins: Nodes, judge: Judge, *, out: Path) -> TableCount:
    """Write `pictures.parquet` with the usable pictures of the kept pins and return what became of all of them.

    A pin whose picture is refused stays a pin, without a picture. The pictures of an earlier catalog come first.

    Args:
        found: the pictures of all rows.
        pins: the kept pins.
        judge: the rules, and the quarantine that takes the refused pictures.
        out: the folder of the catalog; intermediate files lie there too, because another attempt has another folder.

    Raises:
        DatasetError: too many pictures are refused.
        PinSageError: a picture file changed while it was read.
    """
    pin_of_row, base = pins.numbers, judge.base
    verdicts = _judged(found, pin_of_row >= 0, judge.max_picture_mb)
    exist = judge.before("pictures").rows_in + len(found.sizes) - verdicts.num_left_out
    judge.adopt("pictures")
    rejects = judge.quarantine.judged("pictures", verdicts, _records(found, pins), exist=exist)
    quarantined = judge.quarantine.take("pictures", Origins(found.source), rejects, exist=exist)
    kept = verdicts.kept
    dealing = Dealing.of(pin_of_row[kept], found.sizes[kept], out / "buckets")
    with dealing:
        for rows, pictures in found.batches(kept):
            dealing.deal(pin_of_row[rows], pictures)
    written = dealing.write(out / "pictures.parquet", base.pictures() if base else ())
    count = TableCount("pictures", exist, written, quarantined, 0)
    count.check()
    return count


def _files(dataset: Dataset, source: SourceTable, is_open: NDArray[np.bool_]) -> Iterator[tuple[int, PictureFile]]:
    for start, batch in source.batches(["image_path"]):
        paths = batch.column(0)
        has_path = pc.greater(pc.binary_length(paths), 0).fill_null(False).to_numpy(zero_copy_only=False)
        for place in np.flatnonzero(has_path & is_open[start : start + len(paths)]).tolist():
            yield start + place, picture_file(dataset, paths[place].as_py())


def _judged(found: FoundPictures, is_pin: NDArray[np.bool_], max_mb: float) -> Verdicts:
    verdicts, has_picture = Verdicts(len(found.sizes)), found.sizes > 0
    has_picture[list(found.files)] = True
    verdicts.leave_out(~is_pin | ~has_picture)
    for fault in FAULTS:
        rows = [row for row, file in found.files.items() if file.fault == fault]
        verdicts.mark(np.array(rows, np.int64), fault)
    verdicts.mark(found.sizes == 0, "picture file is empty")
    verdicts.mark(found.sizes > max_mb * 1e6, f"picture is larger than {max_mb:g} MB")
    return verdicts


def _records(found: FoundPictures, pins: Nodes) -> Records:
    def records(rows: NDArray[np.int64]) -> pa.Array:
        columns = {"pin_id": pins.ids.take(pa.array(pins.numbers[rows]))}
        if "image_path" in found.source.present:
            files = (found.files.get(row) for row in rows.tolist())
            columns["image_path"] = pa.array([file and file.name for file in files], pa.large_string())
        return json_records(columns | {"size_bytes": pa.array(found.sizes[rows])})

    return records
