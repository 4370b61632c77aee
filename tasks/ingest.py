"""Ingest the owner's tables: the catalog."""

from datetime import UTC, datetime

from pinsage.catalog.earlier import EarlierCatalog
from pinsage.catalog.ingest import ingest_dataset
from pinsage.store.artifact import ArtifactStore
from pinsage.store.manifest import Facts
from tasks.work import StageWork


def ingest(work: StageWork) -> Facts:
    """Validate the tables, quarantine bad rows, number pins and boards; the facts count every row of every table.

    Raises:
        DatasetError: the data set cannot be used.
        ArtifactDamagedError: the catalog to build on does not match its manifest.
    """
    key = work.identity.get("base", "")
    base = EarlierCatalog.of(ArtifactStore(work.home / "artifacts").open("ingest", key)) if key else None
    done = ingest_dataset(work.settings.data, work.out, now=datetime.now(UTC), base=base)
    facts: Facts = {"as_of": done.as_of, "base": key}
    for count in done.counts:
        facts |= {
            count.table: count.kept,
            f"{count.table}_in": count.rows_in,
            f"{count.table}_quarantined": count.quarantined,
            f"{count.table}_later": count.later,
        }
    return facts
