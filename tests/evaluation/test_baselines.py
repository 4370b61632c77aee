"""Each method on worlds where its answer is known."""

import numpy as np
import pytest

from pinsage.errors import InputError
from pinsage.evaluation.baselines import Evidence, Plan, Popularity, Similarity, Visits, scorers
from pinsage.evaluation.ranking import UNRANKED, ranks, top
from pinsage.features.matrix import FeatureMatrix
from pinsage.graph.build import build_graph
from pinsage.pairs.pairs import Pairs
from pinsage.settings import EvaluateSettings, ModelSettings, TrainSettings
from pinsage.walks.random_walk import WalkPlan

PLAN = Plan(
    ModelSettings(hidden_dim=16, embedding_dim=8),
    TrainSettings(batch_size=16, num_negatives=8, num_threads=1, device="cpu"),
    EvaluateSettings(combined_steps=30, pixie_walks=200),
)


def graph_of(*boards, num_pins):
    """A graph whose board b holds the pins boards[b]."""
    saves = [(pin, board) for board, pins in enumerate(boards) for pin in pins]
    pins, rows = np.array(saves, np.int32).T
    return build_graph(pins.copy(), rows.copy(), num_pins=num_pins, num_boards=len(boards))


def evidence(*, pictures=True, words=True) -> Evidence:
    """Two groups of ten pins, told apart by pictures and by words; a pair is two pins of one group."""
    rng = np.random.default_rng(0)
    group = np.repeat(np.eye(2, dtype=np.float32), 10, axis=0)
    content = group + rng.normal(size=(20, 2)).astype(np.float32) / 10
    blocks = {
        "visual": content * pictures,
        "has_picture": np.full(20, pictures),
        "text": content * words,
        "has_text": np.full(20, words),
        "log_degree": np.ones(20, np.float32),
    }
    query = np.arange(20, dtype=np.int32)
    pairs = Pairs(query, ((query + 1) % 10 + query // 10 * 10).astype(np.int32))
    graph = graph_of(range(10), range(10, 20), num_pins=20)
    return Evidence(group, FeatureMatrix(blocks), graph, pairs, pairs)


def test_similarity_is_the_cosine():
    """Against the formula, for vectors of any length."""
    vectors = np.random.default_rng(0).normal(size=(12, 5)).astype(np.float32) * 7
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    queries = np.array([3, 0], np.int32)
    np.testing.assert_allclose(Similarity(vectors).scores(queries), unit[queries] @ unit.T, atol=1e-6)


def test_a_pin_without_the_feature_ranks_last_and_ranks_nothing():
    """Its zero vector would otherwise beat every pin of negative cosine."""
    scores = Similarity(np.array([[1, 0], [0, 0], [-1, 0]], np.float32)).scores(np.array([0, 1], np.int32))
    assert scores.tolist() == [[1, UNRANKED, -1], [UNRANKED] * 3]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_vectors_that_are_no_numbers_are_refused(bad):
    """NaN compares as false and would rank first."""
    with pytest.raises(InputError, match="The vector of pin 1 is not finite"):
        Similarity(np.array([[1, 0], [bad, 0]], np.float32))


def test_visits_rank_the_board_mates_first_and_leave_out_what_no_walk_reaches():
    """Board {0, 1, 1's twin on a second board}: pin 1 shares two boards with 0, pin 2 one, pin 3 none."""
    graph = graph_of([0, 1, 2], [0, 1], [3, 4], num_pins=6)
    pins, shares = top(Visits(graph, WalkPlan(2000, 1, 0.5, 0)), np.array([0, 5], np.int32), 5)
    assert pins.tolist() == [[1, 2, -1, -1, -1], [-1] * 5]
    # First step: one of two boards; then a uniform pin of it, the query itself not counted.
    assert shares[0, 0] == pytest.approx((1 / 6 + 1 / 4) / (1 / 6 + 1 / 6 + 1 / 4), abs=0.05)


def test_popularity_is_the_same_for_every_query():
    """Degrees 2, 2, 1: the query is left out, the most popular other comes first."""
    scorer = Popularity(graph_of([0, 1, 2], [0, 1], num_pins=4).pin_degrees)
    pins, _ = top(scorer, np.array([0, 3], np.int32), 3)
    assert pins.tolist() == [[1, 2, 3], [0, 1, 2]]


def test_every_method_finds_the_groups_of_a_world_made_of_groups():
    """On two clear groups all but popularity rank the nine others of the group before the ten of the other one."""
    world = evidence()
    methods = scorers(world, PLAN)
    assert list(methods) == ["pinsage", "combined", "visual", "annotation", "pixie", "popularity"]
    for name in ("pinsage", "combined", "visual", "annotation", "pixie"):
        assert ranks(methods[name], world.train).max() <= 9, name


def test_combined_is_the_same_twice():
    """Its training is seeded like every other."""
    first, second = (scorers(evidence(), PLAN)["combined"].scores(np.arange(20, dtype=np.int32)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("pictures", "words", "left_out"),
    [
        (True, False, {"annotation"}),
        (False, True, {"visual"}),
        (False, False, {"visual", "annotation", "combined"}),
    ],
)
def test_methods_without_their_evidence_are_left_out(pictures, words, left_out):
    """No zeros for what cannot be measured; Combined makes do with one of the two."""
    names = set(scorers(evidence(pictures=pictures, words=words), PLAN))
    assert {"pinsage", "combined", "visual", "annotation", "pixie", "popularity"} - names == left_out
