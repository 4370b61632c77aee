"""Stages on hosts that share nothing but a store: the same bytes as on one machine."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from pinsage.datasets.demo.world import write_demo
from pinsage.settings.loading import load_settings
from pinsage.store.deployment import open_store
from pinsage.store.manifest import Manifest
from tasks.running.runner import run_stage
from tasks.stages import STAGES

TINY = {"train.steps": 150, "train.batch_size": 64, "train.checkpoint_every": 10, "evaluate.combined_steps": 1,
        "walk.num_neighbors": 5, "walk.num_hard_negatives": 5, "spectral.dim": 8,
        "text.dim": 8}  # fmt: skip
WITH_ARTIFACT = [name for name, stage in STAGES.items() if stage.has_artifact]


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """A small world, and settings that learn little of it."""
    folder = tmp_path_factory.mktemp("world") / "demo"
    write_demo(folder, num_pins=400)
    return load_settings(overrides={**TINY, "data.dataset": str(folder)})


def perform(homes, settings, stages):
    """Do stages of the run on these hosts in turn."""
    for number, stage in enumerate(stages):
        home = homes[number % len(homes)]
        run_stage(stage, open_store(home).runs.open_or_start("r1", settings), home)


def published(homes, settings):
    """The manifests of a run whose stages are done on these hosts in turn."""
    perform(homes, settings, WITH_ARTIFACT)
    store = open_store(homes[-1])
    run = store.runs.open("r1")
    assert set(run.results()) == set(WITH_ARTIFACT)
    return {stage: store.artifacts.open(stage, run.result(stage).key).manifest for stage in WITH_ARTIFACT}


@pytest.fixture(scope="module")
def alone(settings, tmp_path_factory):
    """The manifests of one machine."""
    return published([tmp_path_factory.mktemp("alone")], settings)


def content(manifest: Manifest):
    """What a later stage sees of an artifact."""
    return manifest.key, manifest.inputs, manifest.files


def test_three_hosts_and_a_store_make_the_bytes_of_one_machine(settings, alone, tmp_path, s3_url, monkeypatch):
    """No host makes two stages in a row, so each stage reads what it has never seen; then nothing is made again."""
    monkeypatch.setenv("PINSAGE_STORE", s3_url)
    hosts = [tmp_path / f"host{number}" for number in range(3)]
    spread = published(hosts, settings)
    compared = [stage for stage in WITH_ARTIFACT if stage != "report"]  # the page tells how long things took
    assert {stage: content(spread[stage]) for stage in compared} == {stage: content(alone[stage]) for stage in compared}
    assert not any((host / "artifacts").exists() or (host / "runs").exists() for host in hosts)
    fourth = tmp_path / "fourth"
    again = run_stage("index", open_store(fourth).runs.open("r1"), fourth)
    assert again.reused


TRAINING = """
import sys
from pathlib import Path
from pinsage.store import mirror
from pinsage.store.deployment import open_store
from tasks.running.runner import run_stage
mirror.EVERY_S = 0.05
home = Path(sys.argv[1])
run_stage("train", open_store(home).runs.open("r1"), home)
"""


def test_a_training_killed_on_one_host_goes_on_on_another(settings, alone, tmp_path, s3_url, monkeypatch):
    """From the last checkpoint that reached the store, to the same bytes; the checkpoints go when it is published."""
    monkeypatch.setenv("PINSAGE_STORE", s3_url)
    perform([tmp_path / "zero"], settings, WITH_ARTIFACT[: WITH_ARTIFACT.index("train")])
    command = [sys.executable, "-c", TRAINING, str(tmp_path / "one")]
    bucket = open_store(tmp_path).bucket("checkpoints")
    with subprocess.Popen(command, cwd=Path(__file__).parents[2]) as training:
        while training.poll() is None and not any(name.endswith(".json") for name in bucket.names()):
            time.sleep(0.05)
        assert training.poll() is None, "the training has ended before it could be killed"
        training.kill()
    other = tmp_path / "two"
    result = run_stage("train", open_store(other).runs.open("r1"), other)
    assert result.facts["resumed_from"] > 0
    assert open_store(other).artifacts.open("train", result.key).manifest.files == alone["train"].files
    assert bucket.names() == []
