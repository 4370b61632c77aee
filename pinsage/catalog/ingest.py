"""From a data set as its owner stores it to the catalog: checked, numbered, dated, with nothing lost uncounted."""

import logging
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from pinsage.catalog.dataset import Dataset, SourceTable
from pinsage.catalog.earlier import EarlierCatalog
from pinsage.catalog.edge_rows import Ends
from pinsage.catalog.edges import check_some_left, keep_engagements, keep_saves
from pinsage.catalog.judge import Judge
from pinsage.catalog.nodes import Nodes, keep_nodes, write_nodes
from pinsage.catalog.pictures import find_pictures, keep_pictures, picture_digests
from pinsage.catalog.point_in_time import point_in_time
from pinsage.catalog.quarantine import Quarantine, TableCount
from pinsage.catalog.schema import PUBLISHED_BOARDS, PUBLISHED_PINS
from pinsage.errors import DatasetError, PinSageError
from pinsage.settings import DataSettings

log = logging.getLogger(__name__)

MAX_ROWS = 2**31 - 1


@dataclass(frozen=True)
class Ingested:
    """What an ingest came to: the instant it looked at the data, and a count per table (and one of the pictures)."""

    as_of: str
    counts: tuple[TableCount, ...]


def ingest_dataset(settings: DataSettings, out: Path, *, now: datetime, base: EarlierCatalog | None = None) -> Ingested:
    """Write the catalog of a data set into `out` (docs/data_model.md, "ingest") and return what became of its rows.

    The files depend on the rows of the data set, not on their order or on the files they lie in; only
    `quarantine.parquet` and `dangling.parquet` name files and rows.

    Args:
        settings: the data set, `as_of` and how much dirt is tolerated.
        out: an empty folder.
        now: the wall clock, which decides what lies in the future.
        base: an earlier catalog of some of the files, which are not read again; its pins and boards keep their numbers.

    Raises:
        DatasetError: a table is missing, malformed or too dirty, or nothing is left of it.
        PinSageError: the data set changed while it was read, or rows do not add up.
    """
    dataset = Dataset.open(settings.dataset)
    tables = {table.spec.name: table for table in dataset.tables()}
    point = point_in_time(list(tables.values()), settings.as_of, now=now)
    rest = {name: base.rest(table) if base else table for name, table in tables.items()}
    quarantine = Quarantine(settings.max_bad_share)
    judge = Judge(point, settings.max_id_length, settings.max_picture_mb, quarantine, base)
    pins, pictures = _keep_pins(dataset, rest["pins"], judge, out)
    boards = _keep_boards(rest["boards"], judge, out)
    edges = _keep_edges(rest, judge, boards.ids, pins.ids, out)
    judge.write(out)
    _check_unchanged(settings.dataset, tables)
    return Ingested(point.as_of_text(), (pins.count, pictures, boards.count, *edges))


def _keep_pins(dataset: Dataset, source: SourceTable, judge: Judge, out: Path) -> tuple[Nodes, TableCount]:
    names = [*PUBLISHED_PINS.names, *(["image_path"] if "image_path" in source.present else [])]
    found = find_pictures(dataset, source)
    pins = keep_nodes(source, judge, names=names, digests=picture_digests(found))
    write_nodes(source, _countable(pins), PUBLISHED_PINS, out, judge.base)
    return pins, keep_pictures(found, pins, judge, out=out)


def _keep_boards(source: SourceTable, judge: Judge, out: Path) -> Nodes:
    boards = keep_nodes(source, judge, names=PUBLISHED_BOARDS.names)
    write_nodes(source, _countable(boards), PUBLISHED_BOARDS, out, judge.base)
    return boards


def _keep_edges(
    tables: dict[str, SourceTable], judge: Judge, board_ids: pa.Array, pin_ids: pa.Array, out: Path
) -> list[TableCount]:
    boards, pins = Ends.of(board_ids), Ends.of(pin_ids)
    counts = [keep_saves(tables["saves"], judge, boards=boards, pins=pins, out=out / "saves.parquet")]
    check_some_left(counts[0], judge.point)
    if "engagements" in tables:
        counts.append(keep_engagements(tables["engagements"], judge, pins=pins, out=out / "engagements.parquet"))
    return counts


def _countable(nodes: Nodes) -> Nodes:
    if len(nodes.ids) > MAX_ROWS:
        raise DatasetError(
            f"{nodes.count.table}: {len(nodes.ids):,} rows are more than {MAX_ROWS:,}, the most that a row "
            "number can count. Split the data set."
        )
    return nodes


def _check_unchanged(url: str, tables: dict[str, SourceTable]) -> None:
    """A data set that is being written would be published under the key of another one."""
    dataset = Dataset.open(url)
    for table in tables.values():
        if tuple(dataset.files(table.spec)) != table.files:
            raise PinSageError(
                f"The table '{table.spec.name}' of {url} changed while it was read. Run again when it is complete."
            )
