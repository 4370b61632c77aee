"""Stages on hosts that share nothing but a store: the same bytes as on one machine."""

import pytest

from pinsage.config import load_settings
from pinsage.datasets.demo.world import write_demo
from pinsage.store.deployment import open_store
from pinsage.store.manifest import Manifest
from tasks.running.runner import run_stage
from tasks.stages import STAGES

TINY = {"train.steps": 5, "train.batch_size": 64, "train.checkpoint_every": 2, "evaluate.combined_steps": 1,
        "walk.num_neighbors": 5, "walk.num_hard_negatives": 5, "spectral.dim": 8,
        "text.dim": 8}  # fmt: skip
WITH_ARTIFACT = [name for name, stage in STAGES.items() if stage.has_artifact]


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """A small world, and settings that learn little of it."""
    folder = tmp_path_factory.mktemp("world") / "demo"
    write_demo(folder, num_pins=400)
    return load_settings(overrides={**TINY, "data.dataset": str(folder)})


def published(homes, settings):
    """The manifests of a run whose stages are done on these hosts in turn."""
    for number, stage in enumerate(WITH_ARTIFACT):
        home = homes[number % len(homes)]
        run_stage(stage, open_store(home).runs.open_or_start("r1", settings), home)
    store = open_store(homes[-1])
    run = store.runs.open("r1")
    assert set(run.results()) == set(WITH_ARTIFACT)
    return {stage: store.artifacts.open(stage, run.result(stage).key).manifest for stage in WITH_ARTIFACT}


def content(manifest: Manifest):
    """What a later stage sees of an artifact."""
    return manifest.key, manifest.inputs, manifest.files


def test_three_hosts_and_a_store_make_the_bytes_of_one_machine(settings, tmp_path, s3_url, monkeypatch):
    """No host makes two stages in a row, so each stage reads what it has never seen; then nothing is made again."""
    alone = published([tmp_path / "alone"], settings)
    monkeypatch.setenv("PINSAGE_STORE", s3_url)
    hosts = [tmp_path / f"host{number}" for number in range(3)]
    spread = published(hosts, settings)
    compared = [stage for stage in WITH_ARTIFACT if stage != "report"]  # the page tells how long things took
    assert {stage: content(spread[stage]) for stage in compared} == {stage: content(alone[stage]) for stage in compared}
    assert not any((host / "artifacts").exists() or (host / "runs").exists() for host in hosts)
    fourth = tmp_path / "fourth"
    again = run_stage("index", open_store(fourth).runs.open("r1"), fourth)
    assert again.reused
