"""Lineage of stages: from the records of runs, the places of what was read and made."""

import pytest

from pinsage.settings.loading import load_settings
from pinsage.store.deployment import open_store
from pinsage.store.run import MODEL_RUN, StageResult
from tasks.running.lineage import Lineage, lineage
from tasks.stages import REFRESH_STAGES, STAGES

FACTS = {
    "promote": {"model_name": "pinsage-demo", "model_version": 3},
    "approve": {"model_name": "pinsage-demo", "model_version": 3},
    "release": {"folder": "/store/releases/r"},
}


def record(home, run_id, stages, key, **origin) -> None:
    """A run of stages that have ended, each with a key of its own."""
    run = open_store(home).runs.open_or_start(run_id, load_settings(overrides={"data.dataset": "/tables"}), origin)
    for stage in stages:
        run.record(StageResult(stage, f"{key}-{stage}", 1.0, False, FACTS.get(stage, {})))


def artifacts(home, key, *stages) -> tuple[str, ...]:
    """The places of artifacts."""
    return tuple(f"{home}/artifacts/{stage}/{key}-{stage}" for stage in stages)


@pytest.fixture
def home(tmp_path):
    """A data folder with a training `t` and a refresh `f` with its model."""
    record(tmp_path, "t", STAGES, "t")
    record(tmp_path, "f", REFRESH_STAGES, "f", **{MODEL_RUN: "t"})
    return tmp_path


def test_the_tables_come_in_and_a_release_goes_out(home):
    """What lies between them is artifacts, and the registered model."""
    assert lineage("ingest", "t", home) == Lineage(("/tables",), artifacts(home, "t", "ingest"))
    assert lineage("connect", "t", home) == Lineage(
        artifacts(home, "t", "ingest", "pair"), artifacts(home, "t", "connect")
    )
    assert lineage("promote", "t", home).outputs == ("models:/pinsage-demo/3",)
    released = lineage("release", "t", home)
    assert released.outputs == ("/store/releases/r",)
    assert released.inputs[-1] == "models:/pinsage-demo/3"


@pytest.mark.parametrize("stage", STAGES)
def test_every_input_is_what_another_stage_made(home, stage):
    """Else the graph of a lineage service falls apart."""
    made = {place for other in STAGES for place in lineage(other, "t", home).outputs}
    assert set(lineage(stage, "t", home).inputs) <= {"/tables", *made}
    assert lineage(stage, "t", home).inputs


def test_a_refresh_reads_what_the_training_of_its_model_learned(home):
    """Beside what it made itself."""
    found = lineage("featurize_text", "f", home)
    assert found.inputs == artifacts(home, "f", "ingest") + artifacts(home, "t", "featurize_text")
    assert lineage("gate", "f", home).outputs == ()


def test_a_stage_that_failed_made_nothing(tmp_path):
    """It read what was there."""
    record(tmp_path, "t", ["ingest"], "t")
    assert lineage("pair", "t", tmp_path) == Lineage(artifacts(tmp_path, "t", "ingest"), ())
