"""The published catalog: pins, boards, saves, engagements and pictures, read from one folder."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pinsage.catalog.ids import PinIds
from pinsage.errors import ArtifactMissingError

PICTURES_AT_ONCE = 64
REQUIRED = ("pins", "boards", "saves", "pictures")


class Catalog:
    """An opened ingest artifact. Tables are read when they are asked for; P pins."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def open(cls, folder: Path) -> "Catalog":
        """The catalog in a folder.

        Raises:
            ArtifactMissingError: a table of it is not there.
        """
        missing = [name for name in REQUIRED if not (folder / f"{name}.parquet").is_file()]
        if missing:
            raise ArtifactMissingError(f"{folder} has no {missing[0]}.parquet. Run the stage 'ingest' first.")
        return cls(folder)

    @cached_property
    def num_pins(self) -> int:
        """The number of pins in the catalog."""
        return self._num_rows("pins")

    @cached_property
    def num_boards(self) -> int:
        """The number of boards in the catalog."""
        return self._num_rows("boards")

    @cached_property
    def num_saves(self) -> int:
        """The number of saves in the catalog, held-out ones included."""
        return self._num_rows("saves")

    @cached_property
    def pin_ids(self) -> PinIds:
        """The map between pin_id and pin, both ways."""
        return PinIds(self.pins(["pin_id"]).column(0).combine_chunks())

    def pins(self, columns: list[str] | None = None) -> pa.Table:
        """The table of pins, row i being pin i: `pin_id`, `title`, `description`, `link`, `annotations` (strings)."""
        return self._read("pins", columns)

    def boards(self) -> pa.Table:
        """The table of boards, row i being board i: `board_id`, `title`, `category`."""
        return self._read("boards")

    def saves(self) -> pa.Table:
        """The saves: `board` int32, `pin` int32, `saved_at`; unique, sorted by board, time (null first) and pin."""
        return self._read("saves")

    def engagements(self) -> pa.Table | None:
        """`query` int32, `positive` int32, `at`; None if the data set has no engagements."""
        return self._read("engagements") if (self.folder / "engagements.parquet").is_file() else None

    def pictures(self) -> Iterator[tuple[NDArray[np.int32], list[bytes]]]:
        """Every picture, 64 at a time: the pins (int32, ascending) and their encoded bytes."""
        with pq.ParquetFile(self.folder / "pictures.parquet", page_checksum_verification=True) as parquet:
            for batch in parquet.iter_batches(batch_size=PICTURES_AT_ONCE, use_threads=False):
                yield batch.column("pin").to_numpy(), batch.column("picture").to_pylist()

    def pictures_of(self, pins: NDArray[np.int32]) -> dict[int, bytes]:
        """The encoded pictures of those of the pins that have one; only their row groups are read."""
        found: dict[int, bytes] = {}
        wanted = np.unique(pins)
        with pq.ParquetFile(self.folder / "pictures.parquet", page_checksum_verification=True) as parquet:
            for group in range(parquet.num_row_groups):
                if _may_hold(parquet.metadata.row_group(group), wanted):
                    found |= _chosen(parquet.read_row_group(group, use_threads=False), wanted)
        return found

    def titles(self, pins: NDArray[np.int32]) -> list[str]:
        """The name of each pin for people: its title, else its annotations, else its pin_id."""
        rows = self._names.take(pa.array(pins)).to_pylist()
        return [row["title"] or ", ".join(row["annotations"] or []) or row["pin_id"] for row in rows]

    @cached_property
    def _names(self) -> pa.Table:
        return self.pins(["pin_id", "title", "annotations"])

    def _read(self, name: str, columns: list[str] | None = None) -> pa.Table:
        with pq.ParquetFile(self.folder / f"{name}.parquet", page_checksum_verification=True) as parquet:
            return parquet.read(columns=columns)

    def _num_rows(self, name: str) -> int:
        return int(pq.read_metadata(self.folder / f"{name}.parquet").num_rows)


def _may_hold(group: pq.RowGroupMetaData, wanted: NDArray[np.int32]) -> bool:
    bounds = group.column(0).statistics
    # By the statistics of the group: most groups of a large catalog are passed over unread.
    first = np.searchsorted(wanted, bounds.min)
    return bool(first < len(wanted) and wanted[first] <= bounds.max)


def _chosen(group: pa.Table, wanted: NDArray[np.int32]) -> dict[int, bytes]:
    pins = group.column("pin").to_numpy()
    places = np.flatnonzero(np.isin(pins, wanted))
    pictures = group.column("picture").take(pa.array(places)).to_pylist()
    return dict(zip(pins[places].tolist(), pictures, strict=True))
