"""The stage evaluate on real artifacts, with content and without."""

import pyarrow.parquet as pq
import pytest
from evaluation_world import World, write_dataset

from pinsage.evaluation.examples import SCHEMA
from tasks.evaluate import evaluate


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    """Two topics with pictures and words."""
    folder = tmp_path_factory.mktemp("evaluate")
    return World(folder / "home", write_dataset(folder / "data"))


def metrics_of(folder) -> dict[tuple[str, str, str], float]:
    """value by (method, split, metric)."""
    rows = pq.read_table(folder / "metrics.parquet").to_pylist()
    return {(row["method"], row["split"], row["metric"]): row["value"] for row in rows}


def test_every_method_has_every_metric_on_both_splits(world):
    """The table of the data model, complete, each value a share."""
    metrics = metrics_of(world.publish("evaluate"))
    methods = {"pinsage", "combined", "visual", "annotation", "pixie", "popularity"}
    assert {(method, split) for method, split, _ in metrics} == {
        (m, s) for m in methods for s in ("validation", "test")
    }
    assert {metric for _, _, metric in metrics} - {"cold_hit_rate@10"} == {"hit_rate@1", "hit_rate@10", "mrr"}
    assert all(0 <= value <= 1 for value in metrics.values())


def test_methods_that_see_the_topics_beat_the_one_that_does_not(world):
    """A pair stays within its topic, 20 of 40 pins; popularity knows no topics."""
    metrics = metrics_of(world.publish("evaluate"))
    for method in ("visual", "annotation", "pixie"):
        assert metrics[method, "test", "hit_rate@10"] > metrics["popularity", "test", "hit_rate@10"]


def test_examples_hold_the_methods_of_the_report(world):
    """Ranks from 1, and no query among its own neighbors."""
    table = pq.read_table(world.publish("evaluate") / "examples.parquet")
    assert table.schema == SCHEMA
    assert set(table["method"].to_pylist()) == {"visual", "annotation", "combined", "pixie", "pinsage"}
    rows = table.to_pylist()
    assert all(row["query"] != row["pin"] for row in rows)
    assert min(row["rank"] for row in rows) == 1


def test_facts_are_flat_and_small(world):
    """They travel through an XCom."""
    world.publish("evaluate")
    facts = world.run.result("evaluate").facts
    assert {"pinsage_test_hit_rate_at_10", "pinsage_validation_mrr", "kurtosis_pinsage", "pairs_test"} <= facts.keys()
    assert facts["left_out"] == ""
    assert len(str(facts)) < 4096


def test_the_files_are_the_same_twice(world, tmp_path):
    """Combined is trained again and must come out the same."""
    evaluate(world.work("evaluate", tmp_path))
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (world.publish("evaluate") / path.name).read_bytes()


def test_a_data_set_of_ids_alone_leaves_the_content_methods_out(tmp_path):
    """No zeros for what cannot be measured, and their names are facts."""
    world = World(tmp_path / "home", write_dataset(tmp_path / "data", has_content=False))
    methods = {method for method, _, _ in metrics_of(world.publish("evaluate"))}
    assert methods == {"pinsage", "pixie", "popularity"}
    assert world.run.result("evaluate").facts["left_out"] == "combined visual annotation"
