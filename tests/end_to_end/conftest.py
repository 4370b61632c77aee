"""One small demo world, run through every stage once per test session."""

from pathlib import Path

import pytest
from end_to_end_world import Pipeline, pipeline_at

from pinsage.datasets.demo.world import write_demo
from pinsage.store.run import Run


@pytest.fixture(scope="session")
def small_world(tmp_path_factory) -> Path:
    """The folder of a demo world of 2,000 pins."""
    folder = tmp_path_factory.mktemp("world") / "demo"
    write_demo(folder, num_pins=2000, seed=0)
    return folder


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory, small_world) -> Pipeline:
    """A pipeline in a folder of its own."""
    return pipeline_at(tmp_path_factory.mktemp("home"), small_world)


@pytest.fixture(scope="session")
def finished(pipeline) -> Run:
    """The first run of that pipeline, all stages done."""
    return pipeline.run_all()
