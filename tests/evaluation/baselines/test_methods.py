"""The table of methods: all of them on one world, tuning, and what is left out."""

import logging

import numpy as np
import pytest
from saves_world import PLAN, graph_of, held_out, inputs, random_graph, two_communities

from pinsage.evaluation.baselines import factors
from pinsage.evaluation.baselines.methods import METHODS, Method, make_methods, tune
from pinsage.evaluation.baselines.similarity import Similarity
from pinsage.evaluation.ranking import ranks
from pinsage.evaluation.views import split_views
from pinsage.settings.schema import EvaluateSettings

DEFAULTS = EvaluateSettings().methods


def made(names, world):
    """The methods of a world, tuned on its validation pairs."""
    split = split_views("validation", world.validation, world.train, world.graph, PLAN.evaluate)
    return make_methods(names, world, PLAN, split)


@pytest.mark.parametrize("name", [name for name in METHODS if name != "popularity"])
def test_every_method_tells_two_communities_apart(name, monkeypatch):
    """The others of the group come before those of the other one; popularity alone knows no groups.

    What is learned from nothing but saves needs a hundred pins a group, and fewer factors than there are boards.
    """
    monkeypatch.setattr(factors, "NUM_FACTORS", 8)
    if name in ("als", "bpr") and not factors.has_implicit():
        pytest.skip("the package implicit is not installed")
    size = 100 if name in ("als", "bpr", "item2vec") else 10
    world = two_communities(size=size)
    found = ranks(made([name], world).scorers[name], world.train)
    assert np.mean(found < size) > (0.97 if size == 10 else 0.8)


def test_pinsage_is_always_there_and_carries_its_popularity():
    """Of two equal pins the popular one comes first."""
    world = inputs(graph_of([0, 1, 2], num_pins=3), popularity=np.array([0, 0, 1], np.float32))
    scorer = made([], world).scorers["pinsage"]
    assert np.argmax(scorer.scores(np.array([0], np.int32))[0]) == 2


def test_the_value_with_the_best_hit_rate_on_validation_is_taken():
    """Only vectors scaled by 2 find the positive; of equal values the first is kept."""
    vectors = {1.0: [[1, 0], [-1, 0]], 2.0: [[1, 0], [1, 0]], 3.0: [[1, 0], [1, 0]]}
    fill = [[0, 1]] * 20

    def make(value):
        return Similarity(np.array([*vectors[value], *fill], np.float32))

    graph = graph_of(range(22), num_pins=22)
    split = split_views("validation", held_out([0], [1]), inputs(graph).train, graph, PLAN.evaluate)
    method = Method(lambda inputs, plan: make, setting="scale", values=(1.0, 2.0, 3.0))
    assert tune("any", method, make, split)[0] == 2.0


def test_without_validation_pairs_the_first_value_is_taken():
    """There is nothing to choose by."""
    assert made(["item_knn"], inputs(random_graph())).tuned == {"item_knn_shrinkage": METHODS["item_knn"].values[0]}


@pytest.mark.parametrize(
    ("pictures", "words", "left_out"),
    [(True, False, {"annotation"}), (False, True, {"visual"}), (False, False, {"visual", "annotation", "combined"})],
)
def test_methods_without_their_inputs_are_left_out_with_the_reason(caplog, pictures, words, left_out):
    """No zeros for what cannot be measured; Combined makes do with one of the two."""
    with caplog.at_level(logging.WARNING):
        methods = made(DEFAULTS, two_communities(pictures=pictures, words=words))
    assert set(methods.left_out) == left_out
    assert {"pinsage", *DEFAULTS} - left_out == set(methods.scorers)
    assert all(name in caplog.text for name in left_out)


def test_matrices_that_would_be_too_large_are_left_out_with_the_reason():
    """EASE needs memory by the square of the pins."""
    method = METHODS["ease"]
    reason = method.lacks(inputs(random_graph(num_pins=20_001)))
    assert reason == "20,001 pins are more than its 20,000"


def test_combined_is_the_same_twice():
    """Its training is seeded like every other."""
    queries = np.arange(20, dtype=np.int32)
    first, second = (made(["combined"], two_communities()).scorers["combined"].scores(queries) for _ in range(2))
    np.testing.assert_array_equal(first, second)
