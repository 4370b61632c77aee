"""The stage evaluate on real artifacts, with content and without."""

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from evaluation_world import World, write_dataset

from pinsage.evaluation.examples import SCHEMA
from pinsage.graph.csr import BipartiteGraph
from tasks.evaluate import evaluate


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    """Two topics with pictures and words."""
    folder = tmp_path_factory.mktemp("evaluate")
    return World(folder / "home", write_dataset(folder / "data"))


def metrics_of(folder, view="all") -> dict[tuple[str, str, str], float]:
    """value by (method, split, metric) of a view."""
    rows = pq.read_table(folder / "metrics.parquet").to_pylist()
    return {(row["method"], row["split"], row["metric"]): row["value"] for row in rows if row["view"] == view}


IDS_ALONE = {"pinsage", "pixie", "item_knn", "rp3beta", "transitions", "popularity"}
OF_PAIRS = {"hit_rate@1", "hit_rate@10", "scaled_mrr", "mrr", "ndcg@10", "recall@20", "coverage@10"}


def test_every_method_has_every_metric_on_both_splits_and_all_views(world):
    """The table of the data model, complete, each value a share but the bias, which has a sign."""
    folder = world.publish("evaluate")
    methods = IDS_ALONE | {"combined", "visual", "annotation"}
    for view, wanted in (("all", OF_PAIRS), ("new", OF_PAIRS), ("board", {"recall@20", "ndcg@20"})):
        metrics = metrics_of(folder, view)
        both = {(method, split) for method in methods for split in ("validation", "test")}
        assert {(method, split) for method, split, _ in metrics} == both
        assert {metric for _, _, metric in metrics} - {"cold_hit_rate@10", "popularity_bias@10"} == wanted
        assert all(0 <= value <= 1 for (_, _, name), value in metrics.items() if "bias" not in name)


def test_slices_and_differences_are_published_beside_the_metrics(world):
    """PinSage's lead over each other method, and hit rates of parts of the pairs."""
    folder = world.publish("evaluate")
    differences = pq.read_table(folder / "differences.parquet").to_pylist()
    assert {row["method"] for row in differences} == (IDS_ALONE | {"combined", "visual", "annotation"}) - {"pinsage"}
    metrics = metrics_of(folder)
    for row in differences:
        if (row["split"], row["view"], row["metric"]) == ("test", "all", "hit_rate@10"):
            ours, theirs = (metrics[method, "test", "hit_rate@10"] for method in ("pinsage", row["method"]))
            assert row["value"] == pytest.approx(ours - theirs)
    slices = pq.read_table(folder / "slices.parquet").to_pylist()
    assert {"query", "positive", "positive_degree", "board_size"} <= {row["slice"] for row in slices}


def test_a_published_term_for_popularity_is_added_to_pinsages_scores(world, tmp_path):
    """Where it outweighs every cosine beyond the digits of float32, PinSage ranks as popularity does."""
    world.publish("evaluate")
    work = world.work("evaluate", tmp_path / "out")
    embed = tmp_path / "embed"
    embed.mkdir()
    np.save(embed / "embeddings.npy", np.load(work.inputs["embed"] / "embeddings.npy"))
    degrees = BipartiteGraph.open(work.inputs["connect"]).pin_degrees
    np.save(embed / "popularity.npy", (1e9 * degrees).astype(np.float32))
    work.out.mkdir()
    evaluate(replace(work, inputs={**work.inputs, "embed": embed}))
    metrics = metrics_of(work.out)
    assert metrics["pinsage", "test", "hit_rate@10"] == metrics["popularity", "test", "hit_rate@10"]


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
    assert {
        "pinsage_test_hit_rate_at_10",
        "pinsage_validation_scaled_mrr",
        "kurtosis_pinsage",
        "pairs_test",
    } <= facts.keys()
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
    assert methods == IDS_ALONE
    left_out = "combined: no pin has a picture or words; visual: no pin has a picture; annotation: no pin has words"
    assert world.run.result("evaluate").facts["left_out"] == left_out
