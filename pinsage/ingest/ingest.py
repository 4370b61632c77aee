"""From a data set as its owner stores it to the catalog: checked, numbered, dated, with nothing lost uncounted."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pinsage.catalog.schema import PUBLISHED_BOARDS, PUBLISHED_PINS
from pinsage.errors import PinSageError
from pinsage.ingest.edges import keep_engagements, keep_saves
from pinsage.ingest.engine import Engine
from pinsage.ingest.nodes import keep_nodes
from pinsage.ingest.pictures.pictures import find_pictures, keep_pictures
from pinsage.ingest.quarantine import Quarantine, TableCount
from pinsage.ingest.source.columns import Caps
from pinsage.ingest.source.dataset import Dataset
from pinsage.ingest.source.point_in_time import point_in_time
from pinsage.ingest.source.table import SourceTable
from pinsage.settings.schema import DataSettings


@dataclass(frozen=True)
class Ingested:
    """The result of an ingest: the instant it looked at the data, and a count per table (and one of the pictures)."""

    as_of: str
    counts: tuple[TableCount, ...]


def ingest_dataset(settings: DataSettings, out: Path, *, now: datetime) -> Ingested:
    """Write the catalog of a data set into `out` (docs/data_model.md, "ingest") and return what became of its rows.

    The files depend on the rows of the data set, not on their order or on the files they lie in; only
    `quarantine.parquet` names files and rows.

    Args:
        settings: the data set, `as_of` and how much dirt is tolerated.
        out: an empty folder; what does not fit into memory lies there too while it works.
        now: the wall clock, which decides what lies in the future.

    Raises:
        DatasetError: a table is missing, malformed or too dirty, or nothing is left of it.
        PinSageError: the data set changed while it was read, or rows do not add up.
    """
    dataset = Dataset.open(settings.dataset)
    tables = {table.spec.name: table for table in dataset.tables()}
    point = point_in_time(list(tables.values()), settings.as_of, now=now)
    with Engine(out / "spill", settings.memory_gb, max_id_length=settings.max_id_length) as engine:
        quarantine = Quarantine(engine, settings.max_bad_share)
        counts = _keep_nodes(dataset, tables, quarantine, settings, out)
        counts.append(keep_saves(tables["saves"], quarantine, point=point, out=out / "saves.parquet"))
        if "engagements" in tables:
            found = keep_engagements(tables["engagements"], quarantine, point=point, out=out / "engagements.parquet")
            counts.append(found)
        quarantine.write(out / "quarantine.parquet")
    _check_unchanged(settings.dataset, tables)
    return Ingested(point.as_of_text(), tuple(counts))


def _keep_nodes(
    dataset: Dataset, tables: dict[str, SourceTable], quarantine: Quarantine, settings: DataSettings, out: Path
) -> list[TableCount]:
    pins, boards, scratch = tables["pins"], tables["boards"], out / "pictures.scratch"
    caps_of_pins, caps_of_boards = (Caps(settings.max_text_length, settings.max_annotations) for _ in range(2))
    find_pictures(dataset, pins, quarantine, scratch=scratch)
    return [
        keep_nodes(pins, quarantine, schema=PUBLISHED_PINS, caps=caps_of_pins, out=out, has_pictures=True),
        keep_pictures(
            dataset, pins, quarantine, max_mb=settings.max_picture_mb, scratch=scratch, out=out / "pictures.parquet"
        ),
        keep_nodes(boards, quarantine, schema=PUBLISHED_BOARDS, caps=caps_of_boards, out=out),
    ]


def _check_unchanged(url: str, tables: dict[str, SourceTable]) -> None:
    """A data set that is being written would be published under the key of another one."""
    dataset = Dataset.open(url)
    for table in tables.values():
        if tuple(dataset.files(table.spec)) != table.files:
            raise PinSageError(
                f"The table '{table.spec.name}' of {url} changed while it was read. Run again when it is complete."
            )
