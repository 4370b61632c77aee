"""The choice of an index: it reaches the recall asked for, is the same twice, and fails in one sentence."""

import numpy as np
import pytest
from index_world import random_unit, unit

from pinsage.errors import DiskFullError, InputError
from pinsage.index.build import IndexPlan, expected_bytes, write_index
from pinsage.index.choose import QUICK, choose_index
from pinsage.index.header import HEADER, INDEX
from pinsage.index.pin_index import PinIndex
from pinsage.settings.schema import IndexSettings


@pytest.fixture(scope="module")
def shapeless():
    """2,000 directions without any order, which are the hardest to index: float32 [2000, 48]."""
    return random_unit(2000, dim=48)


def choose(embeddings, folder, **chosen):
    return choose_index(embeddings, np.zeros(len(embeddings), np.float32), folder, IndexSettings(**chosen))


def steps(chosen) -> list[tuple[int, int]]:
    return [(point.num_trees, point.search.search_k) for point in chosen.curve]


@pytest.mark.parametrize("strength", [0, 0.02, 0.1, 0.5])
def test_recall_is_reached_with_popularity_of_any_strength(tmp_path, strength):
    """Default settings, more pins than are inspected, in clusters, with the degrees of a Zipf law."""
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(100, 32))
    embeddings = unit(centers[rng.integers(100, size=12_000)] + 0.5 * rng.normal(size=(12_000, 32)))
    popularity = (strength * np.log1p(np.minimum(rng.zipf(1.6, size=12_000), 10_000))).astype(np.float32)
    chosen = choose_index(embeddings, popularity, tmp_path, IndexSettings(recall_queries=100))
    assert chosen.point.search.recall_at_10 >= 0.95
    assert all(point.search.recall_at_10 < 0.95 for point in chosen.curve[:-1])
    header = PinIndex.open(tmp_path).header
    assert (header.num_trees, header.search_k) == steps(chosen)[-1]


def test_more_nodes_are_inspected_first_and_then_there_are_more_trees(shapeless, tmp_path, monkeypatch):
    """The order of the curve, when a quick search of the first trees does not suffice."""
    monkeypatch.setattr("pinsage.index.choose.QUICK", (160, 320))
    monkeypatch.setattr("pinsage.index.choose.LEAST_GAIN", 0)
    order = [(trees, nodes) for trees in (10, 20, 40, 80, 160, 320) for nodes in (160, 320)]
    chosen = choose(shapeless, tmp_path, target_recall=0.8)
    assert steps(chosen) == order[: len(chosen.curve)]
    assert len(chosen.curve) > 2


def test_the_choice_is_the_same_twice(shapeless, tmp_path):
    """Nothing of it depends on a clock."""
    folders = [tmp_path / name for name in ("here", "there")]
    for folder in folders:
        folder.mkdir()
        choose(shapeless, folder)
    for name in (INDEX, HEADER):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
    assert sorted(path.name for path in folders[0].iterdir()) == [INDEX, HEADER]


def test_trees_and_nodes_may_be_fixed(shapeless, tmp_path):
    """Fixed trees are searched ever more thoroughly; fixed nodes get ever more trees."""
    trees = choose(shapeless, tmp_path, num_trees=3)
    assert {point.num_trees for point in trees.curve} == {3}
    assert trees.point.search.search_k > QUICK[0]
    nodes = choose(shapeless, tmp_path, search_k=777, target_recall=0.6)
    assert {point.search.search_k for point in nodes.curve} == {777}


def test_a_recall_out_of_reach_stops_with_the_best_figure(shapeless, tmp_path):
    """The sentence has both values and the settings that forbid more."""
    with pytest.raises(
        InputError,
        match=r"is 0\.\d+ at most \(1 trees, 5 nodes inspected\), below index\.target_recall 0\.99\. "
        r"Raise index\.num_trees or index\.search_k, or set it to 0\.",
    ):
        choose(shapeless, tmp_path, num_trees=1, search_k=5, target_recall=0.99)


def test_where_trees_do_not_help_more_nodes_are_inspected(tmp_path):
    """Directions without clusters in many dimensions: the smaller index is searched through, to the end if need be."""
    chosen = choose(random_unit(1500, dim=256), tmp_path, target_recall=1.0)
    assert chosen.index.header.num_trees == 10
    assert {point.num_trees for point in chosen.curve} == {10, 20}
    assert chosen.point.search.search_k > QUICK[-1]


def test_a_budget_of_size_ends_the_trees_and_then_nodes_rise(shapeless, tmp_path, monkeypatch):
    """No index beyond it is built; a slower search of the largest one is tried first."""
    monkeypatch.setattr("pinsage.index.choose.QUICK", (20, 40))
    budget = expected_bytes(2000, 48, 20) / 1e9
    chosen = choose(shapeless, tmp_path, max_size_gb=budget, target_recall=0.99)
    assert sorted({point.num_trees for point in chosen.curve}) == [10, 20]
    assert chosen.point.search.search_k > 40
    with pytest.raises(InputError, match=r"with 10 trees takes about .* GB, more than index\.max_size_gb"):
        choose(shapeless, tmp_path, max_size_gb=1e-6)


def test_a_build_that_would_end_too_late_is_not_begun(shapeless, tmp_path, monkeypatch):
    """The sentence says how long it would take; the curve so far is in the log."""
    monkeypatch.setattr("pinsage.index.choose.QUICK", (10,))
    with pytest.raises(InputError, match=r"20 trees would be done .* minutes after the start, later than"):
        choose(shapeless, tmp_path, max_minutes=1e-6, target_recall=1.0)


def test_the_expected_size_is_near_the_size(tmp_path):
    """Within a fifth, for few and many dimensions, few and many trees."""
    for dim, trees in ((8, 10), (8, 80), (128, 10), (128, 80)):
        embeddings = random_unit(3000, dim)
        header = write_index(embeddings, np.zeros(3000, np.float32), tmp_path, IndexPlan(trees))
        assert header.size_bytes == pytest.approx(expected_bytes(3000, dim, trees), rel=0.2)


def test_a_disk_without_room_is_named_before_annoy_writes(tmp_path, monkeypatch):
    """A map over a full disk would end the process."""
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage)
    sentence = r"needs about [\d,]+ bytes, and the disk of .* has 1,000 bytes free\. Free space"
    with pytest.raises(DiskFullError, match=sentence):
        write_index(random_unit(3000), np.zeros(3000, np.float32), tmp_path, IndexPlan())
    assert list(tmp_path.iterdir()) == []


def test_several_threads_build_an_index_that_answers(tmp_path):
    """Other bytes, the same promise."""
    chosen = choose(random_unit(2000), tmp_path, build_threads=2)
    assert chosen.point.search.recall_at_10 >= 0.95
    assert len(chosen.index.related(0, 5)[0]) == 5


def test_searches_around_the_chosen_one_show_the_curve(shapeless, tmp_path):
    """More nodes of the same trees, and fewer: recall rises with them, and nothing is measured twice."""
    chosen = choose(shapeless, tmp_path, target_recall=0.8)
    trees, nodes = chosen.point.num_trees, chosen.point.search.search_k
    same = [point for point in (*chosen.around, *chosen.curve) if point.num_trees == trees]
    measured = sorted((point.search.search_k, point.search.recall_at_10) for point in same)
    assert {round(nodes * factor) for factor in (0.25, 0.5, 1, 2, 4)} <= {number for number, _ in measured}
    assert len({number for number, _ in measured}) == len(measured) >= 8
    assert measured[0][1] < measured[-1][1]
    assert chosen.index.header.search_k == nodes
