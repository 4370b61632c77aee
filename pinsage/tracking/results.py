"""Everything a run came to, sent to its MLflow run: figures, facts, curves, tables and the report."""

import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet as pq

from pinsage.store.run import Run
from pinsage.tracking.names import curve_names, deciding_metric
from pinsage.tracking.run_page import description, facts, measurements, quality
from pinsage.tracking.tracker import Tracker

CURVES = {"curve.parquet": "train", "validation.parquet": "validation"}  # train's files and the prefix of their metrics
PAGES = ("report.html", "explorer.html")
TABLES = {"index": "recall", "evaluate": "metrics"}  # which become CSV files, by stage


def log_results(tracker: Tracker, run: Run, folders: Mapping[str, Path], conclusion: str) -> None:
    """Send what the stages of a run made, and end its MLflow run; sent again it adds nothing.

    Args:
        tracker: of the run, begun.
        run: its record.
        folders: the artifacts of `train` and `evaluate`, and of `index` and `report` where it has them.
        conclusion: the sentence below the table of the run's description.
    """
    deciding = deciding_metric(run.settings.evaluate.ranks)
    results = {stage: result for stage, result in run.results().items() if stage != "promote"}
    tracker.log_results({**quality(folders["evaluate"], deciding), **measurements(results.values())})
    if "comparison" not in run.origin:  # below a comparison only what differs is a parameter
        tracker.log_facts(facts(results.values()))
    _complete_curves(folders["train"], tracker)
    tracker.tag({"pinsage.reused_stages": ", ".join(stage for stage, result in results.items() if result.reused)})
    tracker.describe(description(folders["evaluate"], deciding, conclusion, run.origin))
    tracker.log_text(json.dumps({stage: asdict(result) for stage, result in results.items()}, indent=1), "stages.json")
    for stage, name in TABLES.items():
        if stage in folders:
            tracker.log_text(_csv(folders[stage] / f"{name}.parquet"), f"{name}.csv")
    if "report" in folders:
        for page in PAGES:
            tracker.log_file(folders["report"] / page)
    tracker.finish(run)


def _complete_curves(trained: Path, tracker: Tracker) -> None:
    """Send the points that MLflow lacks: a killed process took them along, or the model was trained in another run."""
    for name, prefix in CURVES.items():
        for row in pq.read_table(trained / name).to_pylist():
            step = row.pop("step")
            tracker.log_metrics(curve_names({f"{prefix}/{column}": value for column, value in row.items()}), step)


def _csv(table: Path) -> str:
    text = io.BytesIO()
    pyarrow.csv.write_csv(pq.read_table(table), text)
    return text.getvalue().decode()
