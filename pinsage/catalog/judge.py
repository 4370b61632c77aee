"""What every row of a data set is held against, and where those go that cannot be used."""

from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from pinsage.catalog.earlier import EarlierCatalog
from pinsage.catalog.parquet_files import write_tables
from pinsage.catalog.point_in_time import PointInTime
from pinsage.catalog.quarantine import Quarantine, TableCount
from pinsage.catalog.schema import PUBLISHED_DANGLING


@dataclass(frozen=True)
class Judge:
    """One ingest's rules.

    `base` is the catalog that this one builds on; `dangling` gathers rows that name an unknown pin or board: they are
    quarantined, and judged again by a catalog that builds on this one.
    """

    point: PointInTime
    max_id_length: int
    max_picture_mb: float
    quarantine: Quarantine
    base: EarlierCatalog | None = None
    dangling: list[pa.Table] = field(default_factory=list)

    def before(self, table: str) -> TableCount:
        """What became of the rows of a table in the earlier catalog; zeros if there is none."""
        return self.base.count(table) if self.base else TableCount(table, 0, 0, 0, 0)

    def adopt(self, table: str) -> int:
        """Take over the rows of a table that the earlier catalog quarantined for good; return how many they are."""
        return self.quarantine.adopt(table, self.base.quarantined(table)) if self.base else 0

    def write(self, out: Path) -> None:
        """Write the tables of the rows that cannot be used into the folder `out`; dangling rows as they were read."""
        write_tables(out / "dangling.parquet", self.dangling, PUBLISHED_DANGLING)
        self.quarantine.write(out / "quarantine.parquet")
