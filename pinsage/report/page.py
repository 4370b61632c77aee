"""The page with pictures: one HTML file that fetches nothing and says the same whenever it is made again.

Everything on it is read from the artifacts it is about. Timings, run ids and clocks stay out: they are in MLflow.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pinsage.catalog.catalog import Catalog
from pinsage.pairs.pairs import Pairs
from pinsage.report import charts
from pinsage.report.case_study import CaseStudy, case_study
from pinsage.report.charts import Chart, Label, curve
from pinsage.report.drift import Drift, drift
from pinsage.report.scores import (
    LABELS,
    VIEWS,
    Conclusion,
    Headline,
    Rows,
    ScoreTable,
    conclusion,
    headlines,
    score_table,
)
from pinsage.report.template import fill
from pinsage.report.world import Folders, World, world
from pinsage.settings.schema import ReportSettings
from pinsage.store.manifest import Facts, Manifest

TEMPLATE = "page.html.j2"


@dataclass(frozen=True)
class StageLine:
    """One artifact that the page is about."""

    stage: str
    key: str
    num_files: int
    size_mb: float


@dataclass(frozen=True)
class Page:
    """The values that the template shows."""

    model_key: str
    headlines: list[Headline]
    conclusion: Conclusion | None
    scores: ScoreTable
    all_scores: ScoreTable
    views: dict[str, str]
    spreads: list[tuple[str, str]]
    left_out: str
    study: CaseStudy
    training: list[Chart]
    world: World
    drift: Drift
    recall: Rows
    stages: list[StageLine]
    settings: dict[str, dict[str, Any]]


def render(page: Page) -> str:
    """The HTML of a page; whatever came from the data is escaped."""
    return fill(TEMPLATE, page=page, geometry=charts)


def gather_page(inputs: Folders, settings: ReportSettings) -> Page:
    """The page of a run.

    Args:
        inputs: the folder of each stage's artifact, in the order of the stages.
        settings: how many rows and pictures.

    Raises:
        ArtifactDamagedError: an artifact is not what its stage publishes.
    """
    manifests = {stage: Manifest.read(folder) for stage, folder in inputs.items()}
    facts = manifests["evaluate"].facts
    metrics = _rows(inputs["evaluate"] / "metrics.parquet")
    recall = _rows(inputs["index"] / "recall.parquet")
    return Page(
        model_key=manifests["train"].key,
        headlines=[*headlines(metrics), *_index_headline(recall)],
        conclusion=conclusion(metrics, _rows(inputs["evaluate"] / "differences.parquet")),
        scores=score_table(metrics),
        all_scores=score_table(metrics, all_methods=True),
        views=_views(facts),
        spreads=_spreads(facts),
        left_out=_left_out(str(facts.get("left_out") or "")),
        study=_study(inputs, settings),
        training=training_charts(inputs["train"]),
        world=world(inputs),
        drift=drift(inputs["compare_days"]),
        recall=recall,
        stages=[_stage_line(manifest) for manifest in manifests.values()],
        settings=_settings(list(manifests.values())),
    )


def training_charts(folder: Path) -> list[Chart]:
    """Loss, validation hit rate, learning rate and hard negatives over the steps."""
    points, looks = _rows(folder / "curve.parquet"), _rows(folder / "validation.parquet")
    found = []
    if points:
        steps = [row["step"] for row in points]
        loss, rate, hard = ([row[name] for row in points] for name in ("loss", "learning_rate", "hard_negatives"))
        found = [
            curve(Label("Loss", f"{loss[-1]:.4g} at the end"), steps, loss, smooth=True),
            curve(Label("Learning rate", f"{max(rate):.2g} at its peak"), steps, rate),
            curve(Label("Hard negatives", f"up to {max(hard)} per query"), steps, hard, style="step"),
        ]
    if looks:
        rates = [100 * row["hit_rate_at_10"] for row in looks]
        label = Label("Validation hit @ 10, %", f"{max(rates):.2f} at best")
        found.insert(1, curve(label, [row["step"] for row in looks], rates))
    return found


def _study(inputs: Folders, settings: ReportSettings) -> CaseStudy:
    examples, catalog = _rows(inputs["evaluate"] / "examples.parquet"), Catalog.open(inputs["ingest"])
    return case_study(examples, catalog, Pairs.read(inputs["pair"] / "test.parquet"), settings)


def _index_headline(recall: Rows) -> list[Headline]:
    note = "share of the exact ten nearest pins that Annoy finds at search_k"
    return [
        Headline(f"{100 * row['recall_at_10']:.1f} %", "recall @ 10 of the index", f"{note} {row['search_k']:,}")
        for row in recall[-1:]  # the chosen one
    ]


def _views(facts: Facts) -> dict[str, str]:
    """The title of each view and how much it asks."""
    counts = {"all": ("pairs_test", "pairs"), "new": ("new_pairs_test", "pairs"), "board": ("boards_test", "boards")}
    return {view: f"{VIEWS[view]} · {int(facts.get(name) or 0):,} {what}" for view, (name, what) in counts.items()}


def _left_out(fact: str) -> str:
    """`visual: why; pixie: why` as `Visual (why), Pixie (why)`."""
    reasons = [part.split(": ", 1) for part in fact.split("; ") if part]
    return ", ".join(f"{LABELS[name][0]} ({reason})" for name, reason in reasons)


def _spreads(facts: Facts) -> list[tuple[str, str]]:
    return [
        (label, f"{facts[f'kurtosis_{name}']:.2f}")
        for name, (label, _) in LABELS.items()
        if f"kurtosis_{name}" in facts
    ]


def _stage_line(manifest: Manifest) -> StageLine:
    size_bytes = sum(entry.size_bytes for entry in manifest.files)
    return StageLine(manifest.stage, manifest.key, len(manifest.files), size_bytes / 1e6)


def _settings(manifests: list[Manifest]) -> dict[str, dict[str, Any]]:
    """Every section that decided an artifact, once."""
    return {section: fields for manifest in manifests for section, fields in manifest.config.items()}


def _rows(path: Path) -> Rows:
    rows: Rows = pq.read_table(path, page_checksum_verification=True).to_pylist()
    return rows
