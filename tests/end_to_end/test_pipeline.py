"""From tables to a champion: the graph must be worth its trouble, and a second run must be free."""

import pyarrow.parquet as pq
import pytest
from end_to_end_world import pipeline_at

from tasks.stages import STAGES


def hit_rates(pipeline, run) -> dict[str, float]:
    """hit-rate@10 on test pairs, by method."""
    table = pq.read_table(pipeline.artifact(run, "evaluate").folder / "metrics.parquet").to_pylist()
    wanted = ("test", "all", "hit_rate@10")
    return {row["method"]: row["value"] for row in table if (row["split"], row["view"], row["metric"]) == wanted}


def test_pinsage_beats_combined_and_combined_beats_each_content_alone(pipeline, finished):
    """The order of the paper's Table 1 holds on the demo world."""
    rates = hit_rates(pipeline, finished)
    assert rates["pinsage"] > 1.2 * rates["combined"]
    assert rates["combined"] > rates["visual"]
    assert rates["combined"] > rates["annotation"]


def test_a_second_run_does_no_stage_again(pipeline, finished):
    """Every artifact is reused; only registry, decisions and releases are asked again, and gain nothing."""
    again = pipeline.run_all()
    made = [name for name, result in again.results().items() if not result.reused]
    assert sorted(made) == ["approve", "promote", "release"]
    assert {name: again.result(name).key for name in STAGES} == {name: finished.result(name).key for name in STAGES}
    released, before = (run.result("release").facts for run in (again, finished))
    assert (released["release"], released["is_new"], before["is_new"]) == (before["release"], False, True)
    assert again.result("promote").facts["model_version"] == finished.result("promote").facts["model_version"]


def test_every_stage_gives_the_same_bytes_in_another_place(pipeline, finished, small_world, tmp_path):
    """A run in an empty folder publishes, file by file, what the first one did, but for the explorer's speeds."""
    other = pipeline_at(tmp_path, small_world)
    run = other.run_all()
    for name, stage in STAGES.items():
        if stage.has_artifact:
            manifests = pipeline.artifact(finished, name).manifest, other.artifact(run, name).manifest
            first, second = ([file for file in each.files if file.path != "explorer.html"] for each in manifests)
            assert (name, first) == (name, second)


def test_no_held_out_save_reaches_the_graph(pipeline, finished):
    """The graph has as many edges as there are training saves, and knows no pin that only a held-out save touches."""
    saves = pq.read_table(pipeline.artifact(finished, "pair").folder / "saves.parquet")
    assert pipeline.artifact(finished, "connect").manifest.facts["saves"] == saves.num_rows


@pytest.mark.parametrize("stage", [name for name, stage in STAGES.items() if stage.has_artifact])
def test_every_stage_reports_facts_that_fit_an_xcom(pipeline, finished, stage):
    """Facts are few and flat."""
    facts = finished.result(stage).facts
    assert facts
    assert all(isinstance(value, str | int | float | bool | None) for value in facts.values())
    assert len(str(facts)) < 4096
