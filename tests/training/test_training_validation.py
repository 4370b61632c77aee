"""The hit rate that training looks at."""

import numpy as np
import pytest
import torch

from pinsage.model.network import NetworkShape, PinSageNetwork
from pinsage.pairs.pairs import Pairs
from pinsage.training import validation
from pinsage.training.validation import Validator, rank_of_positives

RNG = np.random.default_rng(0)


def pins(*values):
    return np.array(values, np.int32)


def test_ranks_equal_sorting_by_hand():
    """The place of the positive among all pins but the query, best first."""
    embeddings = RNG.normal(size=(40, 4)).astype(np.float32)
    query, positive = RNG.integers(20, size=300, dtype=np.int32), RNG.integers(20, 40, size=300, dtype=np.int32)
    ranks = rank_of_positives(torch.from_numpy(embeddings), query, positive)
    for q, i, rank in zip(query, positive, ranks, strict=True):
        order = [pin for pin in np.argsort(-(embeddings @ embeddings[q])) if pin != q]
        assert order[rank] == i


def test_a_network_that_maps_all_pins_to_one_point_scores_nothing():
    """Equal scores count against the positive: the last rank of 19."""
    assert rank_of_positives(torch.ones(20, 3), pins(0, 1), pins(5, 6)).tolist() == [18, 18]


@pytest.fixture
def validator_of():
    features = RNG.normal(size=(500, 4)).astype(np.float32)
    neighbors = RNG.integers(500, size=(500, 3), dtype=np.int32)
    pairs = Pairs(RNG.integers(500, size=90, dtype=np.int32), RNG.integers(500, size=90, dtype=np.int32))

    def build(limit=1000):
        weights = np.full((500, 3), 1 / 3, np.float32)
        return Validator(pairs, features.__getitem__, neighbors=neighbors, weights=weights, limit=limit, seed=0)

    return build


def test_no_more_pairs_than_the_limit_are_looked_at(validator_of):
    """A seeded sample, the same each time."""
    network = PinSageNetwork(NetworkShape((("text", 4),), 2, 8, 4, "importance")).eval()
    assert len(validator_of(30)) == 30
    assert validator_of(30).hit_rate(network) == validator_of(30).hit_rate(network)


def test_a_sample_of_candidates_that_holds_every_pin_gives_the_exact_hit_rate(validator_of, monkeypatch):
    """The way for large catalogs agrees with the way for small ones where they must."""
    network = PinSageNetwork(NetworkShape((("text", 4),), 2, 8, 4, "importance")).eval()
    exact = validator_of().hit_rate(network)
    monkeypatch.setattr(validation, "MOST_PINS", 100)
    monkeypatch.setattr(validation, "CHUNK", 64)
    assert validator_of().hit_rate(network) == exact


def test_fewer_candidates_make_hits_easier(validator_of, monkeypatch):
    """The sampled figure is an upper estimate."""
    network = PinSageNetwork(NetworkShape((("text", 4),), 2, 8, 4, "importance")).eval()
    exact = validator_of(10).hit_rate(network)
    monkeypatch.setattr(validation, "MOST_PINS", 100)
    monkeypatch.setattr(validation, "NUM_CANDIDATES", 5)
    assert validator_of(10).hit_rate(network) > exact
