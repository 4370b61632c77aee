"""What a finished run came to, on one screen: the methods side by side, recommendations in words, where to look."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pinsage.catalog.catalog import Catalog
from pinsage.store.run import Run
from tasks.stages import STAGES

METHODS = ("pinsage", "visual", "annotation", "combined", "pixie", "popularity")
NUM_EXAMPLES = 5
NUM_NEIGHBORS = 4


@dataclass(frozen=True)
class Summary:
    """The published results of one run in the data folder `home`."""

    run: Run
    home: Path

    def print(self, console: Console) -> None:
        """Show the metrics and the examples."""
        console.print(self.metrics())
        console.print(self.examples())

    def metrics(self) -> Table:
        """Every method by every metric on the test pairs; the best of a column is bold."""
        rows = pq.read_table(self._folder("evaluate") / "metrics.parquet").to_pylist()
        test = {(row["method"], row["metric"]): row["value"] for row in rows if row["split"] == "test"}
        names = list(dict.fromkeys(metric for _, metric in test))
        found = list(dict.fromkeys(method for method, _ in test))
        table = Table("method", *names, title="Test pairs", title_justify="left")
        for method in sorted(found, key=lambda name: METHODS.index(name) if name in METHODS else len(METHODS)):
            table.add_row(method, *(_figure(test, method, metric) for metric in names))
        return table

    def examples(self) -> Table:
        """A few query pins and the pins that PinSage finds for them, by title."""
        table = Table("pin", "goes with", title="PinSage recommends", title_justify="left", show_lines=True)
        rows = pq.read_table(self._folder("evaluate") / "examples.parquet")
        rows = rows.filter(pc.equal(rows["method"], "pinsage")).sort_by([("rank", "ascending")])
        queries = rows["query"].unique()[:NUM_EXAMPLES]
        catalog = Catalog.open(self._folder("ingest"))
        for query in queries.to_pylist():
            pins = rows.filter(pc.equal(rows["query"], query))["pin"][:NUM_NEIGHBORS].to_pylist()
            title, *titles = catalog.titles(np.array([query, *pins], dtype=np.int32))
            table.add_row(Text(title), Text("\n".join(titles)))
        return table

    def report_file(self) -> Path:
        """The page with pictures."""
        return self._folder("report") / "report.html"

    def all_made_before(self) -> bool:
        """Whether every artifact was there already."""
        results = self.run.results()
        return all(results[name].reused for name, stage in STAGES.items() if stage.has_artifact)

    def _folder(self, stage: str) -> Path:
        return self.home / "artifacts" / stage / self.run.result(stage).key


def _figure(values: dict[tuple[str, str], float], method: str, metric: str) -> Text:
    value = values.get((method, metric))
    if value is None:
        return Text("–")
    best = max(figure for (_, name), figure in values.items() if name == metric)
    return Text(f"{value:.4f}", style="bold green" if value == best else "")
