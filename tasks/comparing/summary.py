"""The end of a comparison: each run's figures to MLflow, and the summary of all of them to the run above them."""

import logging
import tempfile
from pathlib import Path

import pyarrow.parquet as pq

from pinsage.errors import ArtifactMissingError
from pinsage.evaluation.names import deciding_rank
from pinsage.evaluation.variants import VariantRun, comparison_rows, comparison_table, slice_rows, slice_table
from pinsage.report.comparison import ComparisonPage
from pinsage.store.deployment import Store, open_store
from pinsage.store.manifest import Facts
from pinsage.store.parquet_files import write_parquet
from pinsage.store.run import Run
from pinsage.tracking.results import log_results
from pinsage.tracking.tracker import open_tracker
from tasks.comparing.plan import LAST_STAGE, PlannedRun

log = logging.getLogger(__name__)
PAGE, TABLE, SLICES, TEXT = "comparison.html", "comparison.parquet", "comparison_slices.parquet", "comparison.md"


def conclude(run_id: str, home: Path) -> Facts:
    """Send what a run of a comparison came to, and end its MLflow run. It is no candidate for champion.

    Returns:
        mlflow_url.
    """
    store = open_store(home)
    run = store.runs.open(run_id)
    tracker = open_tracker(run.settings, home, run_id)
    tracker.begin(run)
    folders = {stage: store.artifacts.folder(stage, result.key) for stage, result in run.results().items()}
    variant, seed = run.origin.get("variant", ""), run.origin.get("seed", "")
    log_results(tracker, run, folders, f"Variant '{variant}', seed {seed} of a comparison.")
    return {"mlflow_url": tracker.url}


def summarize(comparison_id: str, home: Path, planned: list[PlannedRun]) -> Facts:
    """Put the runs of a comparison side by side, on the MLflow run above theirs; end that run.

    Returns:
        runs, missing (planned runs without figures), story (one sentence), mlflow_url.

    Raises:
        ArtifactMissingError: none of the runs has been evaluated.
    """
    store = open_store(home)
    run = store.runs.open(comparison_id)
    found, missing = _figures_of(store, planned)
    if not found:
        raise ArtifactMissingError("None of the runs was evaluated, so there is nothing to compare. Read their logs.")
    dataset = Path(run.settings.data.dataset).name or "the data set"
    variants = len(dict.fromkeys(each.variant for each in found))
    title = f"{variants} variants on {dataset}, {len(found)} runs"
    rank = deciding_rank(run.settings.evaluate.ranks)
    page = ComparisonPage(title, comparison_rows(found), rank, missing, slice_rows(found))
    log.info("\n%s", page.markdown())
    return {"runs": len(found), "missing": len(missing), "story": page.story, "mlflow_url": _publish(run, page, home)}


def _figures_of(store: Store, planned: list[PlannedRun]) -> tuple[list[VariantRun], list[str]]:
    found, missing = [], []
    for each in planned:
        result = store.runs.open(each.run_id).results().get(LAST_STAGE) if store.runs.has(each.run_id) else None
        if result is None:
            missing.append(f"'{each.variant}', seed {each.seed} has no figures: run {each.run_id} did not end.")
            continue
        folder = store.artifacts.folder(LAST_STAGE, result.key)
        metrics, slices = (pq.read_table(folder / f"{name}.parquet").to_pylist() for name in ("metrics", "slices"))
        queries = pq.read_table(folder / "queries.parquet")
        found.append(VariantRun(each.variant, each.seed, metrics, queries, slices))
    return found, missing


def _publish(run: Run, page: ComparisonPage, home: Path) -> str:
    tracker = open_tracker(run.settings, home, run.run_id)
    tracker.begin(run)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / PAGE).write_text(page.html(), encoding="utf-8")
        (folder / TEXT).write_text(page.markdown(), encoding="utf-8")
        write_parquet(folder / TABLE, comparison_table(page.rows))
        write_parquet(folder / SLICES, slice_table(page.slices))
        for file in (PAGE, TEXT, TABLE, SLICES):
            tracker.log_file(folder / file)
    tracker.describe(page.markdown())
    tracker.finish(run)
    return tracker.url
