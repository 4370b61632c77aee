"""An earlier catalog to build on: what it read needs not be read again, and its row numbers stay.

Which one that is depends on what lies in the store, so its key enters the identity of the catalog that builds on it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pinsage.catalog.dataset import SourceTable
from pinsage.catalog.quarantine import TableCount
from pinsage.catalog.schema import WEIGHT
from pinsage.store.artifact import Artifact
from pinsage.store.manifest import Manifest

UNKNOWN_ID = "unknown "  # how the reason of a row begins that another table may still explain
BATCH_ROWS = 1 << 17
Files = Mapping[str, Mapping[str, str]]


def base_key(catalogs: Iterable[Manifest], config: Mapping[str, Any], identity: Mapping[str, Any]) -> str:
    """The key of the catalog to build on, or '' to begin from nothing.

    If the same files were ingested before, it is what that catalog was built on, so that the same request finds the
    same catalog. Otherwise it is the catalog of most of the files that left no row out.

    Args:
        catalogs: the manifests of all ingested catalogs.
        config: the content of the settings `data`.
        identity: what is to be ingested, as `fingerprint.dataset_identity` gives it, without `base`.
    """
    mine = [found for found in catalogs if found.config.get("data") == config]
    same = [found for found in mine if {**found.identity, "base": ""} == {**identity, "base": ""}]
    if same:
        return str(max(same, key=lambda found: (found.identity["base"] != "", found.key)).identity["base"])
    usable = [found for found in mine if _can_be_base(found, identity)]
    best = max(usable, key=lambda found: (_num_files(found.identity["tables"]), found.key), default=None)
    return best.key if best else ""


def _can_be_base(found: Manifest, identity: Mapping[str, Any]) -> bool:
    """All its files are still there, unchanged, among others; and it has every row of them."""
    old = found.identity
    if old.get("format") != identity["format"] or old["picture_files"] or identity["picture_files"]:
        return False
    is_whole = not old["future_rows"] and not any(found.facts.get(f"{table}_later") for table in old["tables"])
    is_before = _instant(old["as_of"]) <= _instant(identity["as_of"])
    return is_whole and is_before and _is_part(old["tables"], identity["tables"])


def _is_part(old: Files, new: Files) -> bool:
    is_within = all(files.items() <= new.get(table, {}).items() for table, files in old.items())
    return is_within and _num_files(old) < _num_files(new)


def _num_files(tables: Files) -> int:
    return sum(len(files) for files in tables.values())


def _instant(as_of: str) -> datetime:
    return datetime.fromisoformat(as_of) if as_of else datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class EarlierCatalog:
    """A published catalog that another one builds on: its folder, the files it was made of, and what became of them."""

    folder: Path
    files: Files
    counts: Mapping[str, TableCount]

    @classmethod
    def of(cls, artifact: Artifact) -> "EarlierCatalog":
        """The catalog in a verified artifact of the stage `ingest`."""
        facts, files = artifact.manifest.facts, artifact.manifest.identity["tables"]
        fields = ("_in", "", "_quarantined", "_later")
        counts = {
            table: TableCount(table, *(int(facts[f"{table}{field}"] or 0) for field in fields))
            for table in (*files, "pictures")
        }
        return cls(artifact.folder, files, counts)

    def rest(self, source: SourceTable) -> SourceTable:
        """The files of a table that this catalog was not made of."""
        old = self.files.get(source.spec.name, {})
        pairs = zip(source.files, source.footers, strict=True)
        kept = [(file, footer) for file, footer in pairs if file.name not in old]
        return replace(source, files=tuple(file for file, _ in kept), footers=tuple(footer for _, footer in kept))

    def count(self, table: str) -> TableCount:
        """What became of the rows of a table; zeros if there was none."""
        return self.counts.get(table, TableCount(table, 0, 0, 0, 0))

    def batches(self, table: str, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        """A published table in pieces; none if the catalog does not have it."""
        path = self.folder / f"{table}.parquet"
        if path.is_file():
            with pq.ParquetFile(path, page_checksum_verification=True) as parquet:
                yield from parquet.iter_batches(BATCH_ROWS, columns=columns, use_threads=False)

    def pictures(self) -> Iterator[pa.Table]:
        """The published pictures, a row group at a time."""
        with pq.ParquetFile(self.folder / "pictures.parquet", page_checksum_verification=True) as parquet:
            for group in range(parquet.num_row_groups):
                yield parquet.read_row_group(group, use_threads=False)

    def ids(self, table: str, name: str) -> pa.Array:
        """The ids of a table of nodes by number, as large_string."""
        parts = [batch.column(0).cast(pa.large_string()) for batch in self.batches(table, [name])]
        return pa.chunked_array(parts, pa.large_string()).combine_chunks()

    def has_weights(self) -> bool:
        """Whether its saves have weights."""
        return WEIGHT.name in pq.read_schema(self.folder / "saves.parquet").names

    def quarantined(self, table: str) -> pa.Table:
        """`source`, `row`, `reason`, `record` of the rows of a table that are bad whatever else there is."""
        rows = self._rows_of("quarantine", table)
        return rows.filter(pc.invert(pc.starts_with(rows.column("reason"), UNKNOWN_ID)))

    def dangling(self, table: str) -> pa.Table:
        """The rows of a table that name an unknown pin or board, as `dangling.parquet` holds them."""
        return self._rows_of("dangling", table)

    def _rows_of(self, name: str, table: str) -> pa.Table:
        empty = pq.read_schema(self.folder / f"{name}.parquet").empty_table()
        parts = [pa.table(batch.filter(pc.equal(batch.column("table"), table))) for batch in self.batches(name)]
        return pa.concat_tables([empty, *parts]).drop_columns(["table"])
