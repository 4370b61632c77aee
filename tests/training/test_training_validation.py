"""The hit rate that training looks at."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pinsage.model.network import PinSageNetwork
from pinsage.model.shape import NetworkShape
from pinsage.pairs.pairs import Pairs
from pinsage.training import validation
from pinsage.training.validation import Validator, rank_positives, ranks

RNG = np.random.default_rng(0)


def pins(*values):
    return np.array(values, np.int32)


def rank_all(embeddings, query, positive, term=None):
    """The exact ranks, under one term for popularity or none."""
    terms = np.zeros((1, len(embeddings)), np.float32) if term is None else term[None]
    return rank_positives(embeddings, query, positive, terms=terms, enough=len(embeddings))[0]


def test_ranks_equal_sorting_by_hand():
    """The rank of the positive among all pins but the query, best first."""
    embeddings = RNG.normal(size=(40, 4)).astype(np.float32)
    query, positive = RNG.integers(20, size=300, dtype=np.int32), RNG.integers(20, 40, size=300, dtype=np.int32)
    ranks = rank_all(torch.from_numpy(embeddings), query, positive)
    for q, i, rank in zip(query, positive, ranks, strict=True):
        order = [pin for pin in np.argsort(-(embeddings @ embeddings[q])) if pin != q]
        assert order.index(i) == rank


def test_equal_scores_count_half():
    """All pins at one point: in the middle of the 19 others, as chance has it."""
    assert rank_all(torch.ones(20, 3), pins(0, 1), pins(5, 6)).tolist() == [9, 9]


def test_a_network_that_gives_no_numbers_has_the_last_ranks():
    """NaN is neither higher nor lower, and must not look like a hit."""
    vectors = torch.ones(20, 3)
    vectors[5:] = torch.nan
    assert min(rank_all(vectors, pins(0, 5), pins(5, 1))) >= 15


def slow_ranks(embeddings, query, positive, popularity):
    """Counted one by one."""
    found = []
    for q, i in zip(query, positive, strict=True):
        scores = embeddings @ embeddings[q] + popularity
        others = [score for pin, score in enumerate(scores) if pin not in (q, i)]
        found.append(sum(s > scores[i] for s in others) + sum(s == scores[i] for s in others) / 2)
    return found


@given(st.integers(0, 2**31), st.integers(2, 1200))
@settings(max_examples=30, deadline=None)
def test_ranks_equal_counting_by_hand(seed, num_pins):
    """With many equal scores, and with popularity beside them; more pins than a block has."""
    rng = np.random.default_rng(seed)
    embeddings = rng.integers(-1, 2, size=(num_pins, 2)).astype(np.float32)
    popularity = rng.integers(3, size=num_pins).astype(np.float32)
    query = rng.integers(num_pins, size=5, dtype=np.int32)
    positive = ((query + rng.integers(1, num_pins, size=5)) % num_pins).astype(np.int32)
    for term in (None, popularity):
        found = rank_all(torch.from_numpy(embeddings), query, positive, term)
        assert found.tolist() == slow_ranks(embeddings, query, positive, 0 if term is None else term)


@given(st.integers(0, 2**31), st.integers(1, 700))
@settings(max_examples=30, deadline=None)
def test_counting_may_end_when_the_rank_is_bad_enough(seed, enough):
    """Which ranks are below that number stays the same, and those are exact."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(600, size=(20, 1500)).astype(np.float32)
    positive, terms = rng.integers(1500, size=20, dtype=np.int32), np.zeros((2, 1500), np.float32)
    terms[1] = rng.integers(9, size=1500)
    exact, short = (ranks(scores, terms, positive, most) for most in (1500, enough))
    assert ((exact < enough) == (short < enough)).all()
    assert (short[exact < enough] == exact[exact < enough]).all()


@pytest.fixture
def validator_of():
    features = RNG.normal(size=(500, 4)).astype(np.float32)
    neighbors = RNG.integers(500, size=(500, 3), dtype=np.int32)
    pairs = Pairs(RNG.integers(500, size=90, dtype=np.int32), RNG.integers(500, size=90, dtype=np.int32))

    def build(limit=1000, pairs=pairs, **popularity):
        weights = np.full((500, 3), 1 / 3, np.float32)
        rows = features.__getitem__
        return Validator(pairs, rows, neighbors=neighbors, weights=weights, limit=limit, seed=0, **popularity)

    return build


def test_no_more_pairs_than_the_limit_are_looked_at(validator_of):
    """A seeded sample, the same each time."""
    network = PinSageNetwork(NetworkShape((("text", 4),), 2, 8, 4, "importance")).eval()
    assert len(validator_of(30)) == 30
    assert validator_of(30).best_hit_rate(network) == validator_of(30).best_hit_rate(network)


def test_a_sample_of_candidates_that_holds_every_pin_gives_the_exact_hit_rate(validator_of, monkeypatch):
    """The way for large catalogs agrees with the way for small ones where they must."""
    by_degree = {"log_degree": np.log1p(np.arange(500)).astype(np.float32), "strengths": (0.1,)}
    network = PinSageNetwork(NetworkShape((("text", 4),), 2, 8, 4, "importance")).eval()
    exact = validator_of(**by_degree).best_hit_rate(network)
    monkeypatch.setattr(validation, "MOST_PINS", 100)
    monkeypatch.setattr(validation, "CHUNK", 64)
    assert validator_of(**by_degree).best_hit_rate(network) == exact


def test_fewer_candidates_make_hits_easier(validator_of, monkeypatch):
    """The sampled figure is an upper estimate."""
    network = PinSageNetwork(NetworkShape((("text", 4),), 2, 8, 4, "importance")).eval()
    exact, _ = validator_of(10).best_hit_rate(network)
    monkeypatch.setattr(validation, "MOST_PINS", 100)
    monkeypatch.setattr(validation, "NUM_CANDIDATES", 5)
    assert validator_of(10).best_hit_rate(network)[0] > exact


def test_validation_chooses_how_much_popularity_counts(validator_of):
    """None where it does not help; where all positives are the most popular pins, enough to bring them to the top."""
    network = PinSageNetwork(NetworkShape((("text", 4),), 2, 8, 4, "importance")).eval()
    log_degree = np.zeros(500, np.float32)
    assert validator_of(log_degree=log_degree).best_hit_rate(network)[1] == 0
    query = np.arange(90, dtype=np.int32)
    popular = Pairs(query, 400 + query % 5)
    log_degree[400:405] = 16
    plain, _ = validator_of(pairs=popular).best_hit_rate(network)
    rate, strength = validator_of(pairs=popular, log_degree=log_degree).best_hit_rate(network)
    assert rate > plain
    assert strength > 0
    assert validator_of(pairs=popular, log_degree=log_degree, strengths=(0.02,)).best_hit_rate(network)[1] == 0.02
