"""A small pipeline for the end-to-end tests: its settings, and ways to run it and to look at what it made."""

import uuid
from dataclasses import dataclass
from pathlib import Path

from pinsage.settings.loading import load_settings
from pinsage.settings.schema import Settings
from pinsage.store.artifact import Artifact
from pinsage.store.deployment import open_store
from pinsage.store.run import Run
from tasks.running.stage_process import perform
from tasks.stages import STAGES

SMALL = {
    "text.dim": 32,
    "walk.num_neighbors": 10,
    "walk.num_walks": 200,
    "walk.hard_negative_walks": 300,
    "model.hidden_dim": 64,
    "model.embedding_dim": 32,
    "train.steps": 150,
    "train.learning_rate": 3e-3,
    "train.batch_size": 256,
    "train.num_negatives": 200,
    "train.num_threads": 1,
    "train.validate_every": 75,
    "evaluate.combined_steps": 200,
    "index.target_recall": 0.8,
    "cluster.num_workers": 2,
}


@dataclass(frozen=True)
class Pipeline:
    """A data folder, the settings of its runs, and ways to run and to look."""

    home: Path
    settings: Settings

    def run_all(self) -> Run:
        """A new run, taken through all stages in this process."""
        run_id = f"test-{uuid.uuid4().hex[:8]}"
        for stage in STAGES:
            perform(stage, run_id, self.settings, self.home, {})
        return open_store(self.home).runs.open(run_id)

    def artifact(self, run: Run, stage: str) -> Artifact:
        """What a stage of a run published."""
        return open_store(self.home).artifacts.open(stage, run.result(stage).key)


def pipeline_at(home: Path, dataset: Path) -> Pipeline:
    """A pipeline with the small settings on a data set."""
    return Pipeline(home, load_settings(overrides={**SMALL, "data.dataset": str(dataset)}))
