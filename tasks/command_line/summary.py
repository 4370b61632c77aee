"""The result of a finished run on one screen: methods side by side, recommendations in words, where to look."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pinsage.catalog.catalog import Catalog
from pinsage.report.scores import VIEWS, Cell, conclusion, score_table
from pinsage.store.artifact import ArtifactStore
from pinsage.store.deployment import open_store
from pinsage.store.run import Run
from pinsage.tracking.server import Server
from tasks.stages import STAGES

NUM_EXAMPLES = 5
NUM_NEIGHBORS = 4
MAX_TITLE = 40


@dataclass(frozen=True)
class Recommendation:
    """The title of a query pin and those of the pins that PinSage finds for it, the nearest first."""

    query: str
    related: list[str]


def print_summary(home: Path, run_id: str, console: Console, *, mlflow_page: str = "") -> None:
    """Show the metrics of all methods, five recommendations, the decision on the model and the addresses of a run.

    Args:
        home: data folder of the pipeline.
        run_id: a run that has come to its end.
        console: where to.
        mlflow_page: the run's page, where the caller knows a server that the stages did not write through.

    Raises:
        RunRecordError: there is no such run.
        ArtifactMissingError: it has not come to its end.
    """
    store = open_store(home)
    run, artifacts = store.runs.open(run_id), store.artifacts
    evaluated = _folder(run, artifacts, "evaluate")
    console.print(metrics_table(evaluated))
    rows = (pq.read_table(evaluated / f"{name}.parquet").to_pylist() for name in ("metrics", "differences"))
    if found := conclusion(*rows):
        console.print(found.text, soft_wrap=True)
    console.print(_examples_table(recommendations(run, artifacts)))
    for name, text in _closing_lines(run, artifacts, mlflow_page or _mlflow_place(run, home)):
        console.print(Text.assemble((f"{name:<9}", "bold"), text), soft_wrap=True)


def print_refresh(home: Path, run_id: str, console: Console) -> None:
    """Show what changed in a refresh that has come to its end, and its release.

    Raises:
        RunRecordError: there is no such run.
        ArtifactMissingError: it has not come to its end.
    """
    run = open_store(home).runs.open(run_id)
    gate = run.result("gate").facts
    lines = {"Stages": _work_done(run), "Gate": str(gate["reason"]), "Release": _release(run)}
    if "churn" in gate:
        lines["Pins"] = f"{gate['pins_added']} came, {gate['pins_removed']} went since {gate['compared_with']}"
    for name, text in lines.items():
        console.print(Text.assemble((f"{name:<9}", "bold"), text), soft_wrap=True)


def metrics_table(evaluated: Path) -> Table:
    """Every method by the metrics of the report on the test pairs of an evaluation; the best of a column is bold."""
    scores = score_table(pq.read_table(evaluated / "metrics.parquet").to_pylist(), all_methods=True)
    table = Table("method", title="On the test pairs", title_justify="left")
    for column in scores.columns:
        view = "" if column.view == "all" else f"{VIEWS[column.view]}: "
        table.add_column(f"{view}{column.title}", justify="right")
    for row in scores.rows:
        table.add_row(row.label, *map(_figure, row.cells))
    return table


def recommendations(run: Run, store: ArtifactStore) -> list[Recommendation]:
    """A few test queries and their nearest pins by PinSage, in words."""
    rows = pq.read_table(_folder(run, store, "evaluate") / "examples.parquet")
    rows = rows.filter(pc.equal(rows["method"], "pinsage")).sort_by([("rank", "ascending")])
    catalog, found = Catalog.open(_folder(run, store, "ingest")), []
    for query in rows["query"].unique()[:NUM_EXAMPLES].to_pylist():
        related = rows.filter(pc.equal(rows["query"], query))["pin"][:NUM_NEIGHBORS].to_pylist()
        first, *others = catalog.titles(np.array([query, *related], dtype=np.int32))
        found.append(Recommendation(first, others))
    return found


def _examples_table(examples: list[Recommendation]) -> Table:
    table = Table("pin", "goes with", title="PinSage recommends", title_justify="left")
    for example in examples:
        table.add_row(Text(_short(example.query)), Text(" · ".join(map(_short, example.related))))
    return table


def _closing_lines(run: Run, store: ArtifactStore, mlflow: str) -> list[tuple[str, str]]:
    answered = run.result("approve").facts
    lines = [
        ("Stages", _work_done(run)),
        ("Model", f"{answered['model_name']}, version {answered['model_version']}. {answered['reason']}"),
        ("Release", _release(run)),
        ("Airflow", run.origin.get("airflow_url", "")),
        ("MLflow", mlflow),
        ("Report", str(_folder(run, store, "report") / "report.html")),
        ("Explorer", str(_folder(run, store, "report") / "explorer.html")),
    ]
    return [(name, text) for name, text in lines if text]


def _release(run: Run) -> str:
    facts = run.result("release").facts
    return f"{facts['folder']}. {facts['reason']}" if facts["folder"] else str(facts["reason"])


def _mlflow_place(run: Run, home: Path) -> str:
    facts = run.result("promote").facts
    return str(facts["mlflow_url"] or f"run {facts['mlflow_run_id']} in {Server(run.settings.tracking, home).uri}")


def _work_done(run: Run) -> str:
    results = run.results()
    artifacts = [results[name] for name, stage in STAGES.items() if stage.has_artifact and name in results]
    made = [result for result in artifacts if not result.reused]
    if not made:
        return f"every one of the {len(artifacts)} artifacts was made before, no stage work was done again"
    return f"{len(made)} of {len(artifacts)} artifacts made in {sum(result.seconds for result in made):.1f} s"


def _folder(run: Run, store: ArtifactStore, stage: str) -> Path:
    return store.folder(stage, run.result(stage).key)


def _figure(cell: Cell | None) -> Text:
    if cell is None:
        return Text("–")
    return Text(cell.text, style="bold green" if cell.is_best else "")


def _short(title: str) -> str:
    return title if len(title) <= MAX_TITLE else f"{title[: MAX_TITLE - 1]}…"
