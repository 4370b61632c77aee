"""A small catalog is worked on by threads of this process, which keep the promises of a cluster."""

import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import cluster_parts
import pytest

from pinsage.cluster.workers import SMALL_PINS, Threads, workers
from pinsage.errors import DatasetError
from pinsage.settings.schema import ClusterSettings

ROOT = Path(__file__).parents[2]


def test_results_come_back_in_the_order_of_the_parts():
    """Each is also handed on as it comes in, in whatever order that is."""
    seen: list[int] = []
    parts = [(number,) for number in range(9)]
    assert Threads(3).run(cluster_parts.squared, parts, label="s", on_result=seen.append) == [n * n for n in range(9)]
    assert sorted(seen) == [n * n for n in range(9)]


def test_progress_is_told_in_pins_where_their_number_is_known():
    """The last word is that all are done."""
    told = []
    Threads(2, told.append).run(cluster_parts.squared, [(1,), (2,)], label="walk", sizes=[30, 12])
    assert (told[-1].done, told[-1].total, told[-1].unit) == (42, 42, "pins")


def test_the_error_of_a_part_comes_back_as_itself():
    """And what has not begun never does."""
    with pytest.raises(DatasetError, match="Part two is malformed"):
        Threads(1).run(cluster_parts.refused, [(number,) for number in range(4)], label="check")


def test_threads_are_as_many_as_the_cluster_would_have():
    """The settings mean the same."""
    with workers(ClusterSettings(num_workers=3, threads_per_worker=2), num_pins=SMALL_PINS) as found:
        assert isinstance(found, Threads)
        assert found.num_threads == 6


@pytest.mark.parametrize(
    ("settings", "num_pins"),
    [(ClusterSettings(), SMALL_PINS + 1), (ClusterSettings(address="tcp://a:1"), 1)],
)
def test_a_large_catalog_and_whoever_names_a_cluster_get_one(monkeypatch, settings, num_pins):
    """The cluster is asked for with the same settings."""
    asked = []
    monkeypatch.setattr("pinsage.cluster.connection.open_cluster", lambda *which: asked.append(which) or nullcontext())
    with workers(settings, num_pins=num_pins):
        pass
    assert asked[0][0] is settings


def test_small_catalogs_do_not_wait_for_dask():
    """Importing the way to the workers imports no Dask."""
    code = "import sys, pinsage.cluster.workers, tasks.walk; sys.exit('distributed' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
