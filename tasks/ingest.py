"""Ingest the owner's tables: the catalog."""

from datetime import UTC, datetime

from pinsage.ingest.ingest import ingest_dataset
from pinsage.store.manifest import Facts
from tasks.running.work import StageWork


def ingest(work: StageWork) -> Facts:
    """Validate the tables, quarantine bad rows, number pins and boards; the facts count every row of every table.

    Raises:
        DatasetError: the data set cannot be used.
    """
    done = ingest_dataset(work.settings.data, work.out, now=datetime.now(UTC))
    facts: Facts = {"as_of": done.as_of}
    for count in done.counts:
        facts |= {
            count.table: count.kept,
            f"{count.table}_in": count.rows_in,
            f"{count.table}_quarantined": count.quarantined,
            f"{count.table}_later": count.later,
        }
        if count.cut:
            facts[f"{count.table}_cut"] = count.cut
    return facts
