"""The convolution learns from everything it is given: a fault planted in any of it shows in the hit rate.

In this world a pin has a picture cluster, a word cluster and a secret cluster, and the positives of a query are the few
pins that share all three. Nothing of a pin itself tells its secret: its two heavy neighbors do, whose pictures are of
that cluster, among six light ones whose pictures are of three others.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pinsage.features.matrix import FeatureMatrix
from pinsage.inference import embed_all
from pinsage.pairs.pairs import Pairs
from pinsage.settings.schema import ModelSettings, TrainSettings
from pinsage.training.data import TrainingData
from pinsage.training.loop import fit
from pinsage.training.validation import rank_positives
from pinsage.walks.neighborhood import Neighborhoods

CLUSTERS, SIZE = 6, 6  # of each kind; pins that share all three
NUM_PINS = CLUSTERS**3 * SIZE
HEALTHY, FAULTY = 0.9, 0.5  # over eight seeds: at least 0.998, and at most 0.353
FAULTS = ("weights", "neighbors", "visual", "text")
# Without the linear path, whose id embeddings know a cluster by its pairs alone.
MODEL = ModelSettings(num_layers=1, hidden_dim=48, embedding_dim=24, linear_path=False)
TRAIN = TrainSettings(
    steps=100, batch_size=128, num_negatives=200, loss="sampled_softmax", learning_rate=1e-2, validate_every=50,
    num_threads=1, device="cpu",
)  # fmt: skip


def planted(seed):
    """The world of a seed."""
    rng = np.random.default_rng(seed)
    group = rng.permutation(NUM_PINS) // SIZE  # pins that share all three clusters
    picture, words, secret = group % CLUSTERS, group // CLUSTERS % CLUSTERS, group // CLUSTERS**2
    visual, text = (rng.normal(size=(CLUSTERS, 8))[k] + 0.2 * rng.normal(size=(NUM_PINS, 8)) for k in (picture, words))
    told = (secret[:, None] + rng.permuted(np.tile(np.arange(1, CLUSTERS), (NUM_PINS, 1)), axis=1)[:, :3]) % CLUSTERS
    shown = np.repeat(np.column_stack([secret, told]), 2, axis=1)  # the picture cluster of each of eight neighbors
    weights = np.tile(np.repeat(np.array([0.41, 0.03], np.float32), [2, 6]), (NUM_PINS, 1))
    pairs = pairs_within(group, rng)
    blocks = {"visual": visual.astype(np.float32), "text": text.astype(np.float32)}
    return TrainingData(
        features=FeatureMatrix(blocks),
        neighborhoods=Neighborhoods(pins_showing(picture, shown, rng), weights),
        hard_negatives=None,
        train=Pairs(pairs.query[600:], pairs.positive[600:]),
        validation=Pairs(pairs.query[:600], pairs.positive[:600]),
    )


def pairs_within(group, rng):
    """All ordered pairs of pins of one group, in random order."""
    members = np.argsort(group, kind="stable").reshape(-1, SIZE)
    query, positive = (members[:, side].reshape(-1) for side in np.where(~np.eye(SIZE, dtype=bool)))
    order = rng.permutation(len(query))
    return Pairs(query[order].astype(np.int32), positive[order].astype(np.int32))


def pins_showing(picture, wanted, rng):
    """A random pin of each wanted picture cluster."""
    of_cluster = np.argsort(picture, kind="stable").reshape(CLUSTERS, -1)
    return of_cluster[wanted, rng.integers(of_cluster.shape[1], size=wanted.shape)].astype(np.int32)


def with_fault(data, fault, seed=0):
    """The same data with one part of it shuffled: weights within each row, all else over the pins."""
    rng = np.random.default_rng([seed, 1])
    neighbors, weights = data.tables()
    if fault == "weights":
        return replace(data, neighborhoods=Neighborhoods(neighbors, rng.permuted(weights, axis=1)))
    if fault == "neighbors":
        return replace(data, neighborhoods=Neighborhoods(neighbors[rng.permutation(NUM_PINS)], weights))
    blocks = {name: data.features.block(name) for name in data.features.names}
    return replace(data, features=FeatureMatrix({**blocks, fault: rng.permutation(blocks[fault])}))


@pytest.fixture(scope="module")
def healthy():
    """Data and trained network without a fault."""
    data = planted(0)
    return data, fit(data, MODEL, TRAIN)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_healthy_training_finds_the_positives(seed):
    """On pairs it has not seen."""
    assert fit(planted(seed), MODEL, TRAIN).best_hit_rate > HEALTHY


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_what_it_learns_from_is_caught(fault, seed):
    """The same shuffled part in training and validation: what it told is lost."""
    assert fit(with_fault(planted(seed), fault, seed), MODEL, TRAIN).best_hit_rate < FAULTY


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_what_it_is_applied_to_is_caught(healthy, fault):
    """A good network does not answer from memory: it reads weights, neighbors, pictures and words."""
    data, result = healthy
    assert hit_rate(result.network, data) > HEALTHY
    assert hit_rate(result.network, with_fault(data, fault)) < FAULTY


def hit_rate(network, data):
    vectors = torch.from_numpy(embed_all(network, data.features, data.neighborhoods))
    pairs, no_terms = data.validation, np.zeros((1, len(vectors)), np.float32)
    return float((rank_positives(vectors, pairs.query, pairs.positive, terms=no_terms, enough=10) < 10).mean())
