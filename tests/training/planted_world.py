"""A planted world: communities of pins whose own features are too noisy to tell, and whose neighbors tell."""

from dataclasses import dataclass

import numpy as np
import pytest

from pinsage.features.matrix import FeatureMatrix
from pinsage.pairs.board_pins import BoardPins
from pinsage.pairs.pairs import Pairs
from pinsage.settings.schema import ModelSettings, TrainSettings
from pinsage.training.data import TrainingData
from pinsage.training.loop import fit
from pinsage.walks.neighborhood import Neighborhoods

COMMUNITIES, SIZE, T = 12, 20, 8
NUM_PINS = COMMUNITIES * SIZE


@dataclass(frozen=True)
class PlantedWorld:
    """Training data, and the settings of a short training on them."""

    data: TrainingData
    model: ModelSettings
    train: TrainSettings


def same_community(pins, rng):
    """For every pin another one of its community."""
    steps = rng.integers(1, SIZE, size=pins.shape)
    return (pins // SIZE * SIZE + (pins % SIZE + steps) % SIZE).astype(np.int32)


def planted(seed=0, *, are_neighbors_real=True, are_pairs_drawn=False, **train):
    """The world of a seed; with `are_neighbors_real=False` every pin has the neighbors of a random other pin.

    With `are_pairs_drawn` every community is a board, and training draws its pairs from these.
    """
    rng = np.random.default_rng(seed)
    community = np.arange(NUM_PINS) // SIZE
    features = rng.normal(size=(COMMUNITIES, 6))[community] + 1.6 * rng.normal(size=(NUM_PINS, 6))
    neighbors = same_community(np.repeat(np.arange(NUM_PINS)[:, None], T, axis=1), rng)
    if not are_neighbors_real:
        neighbors = neighbors[rng.permutation(NUM_PINS)]
    weights = np.full((NUM_PINS, T), 1 / T, np.float32)

    def pairs(count):
        query = rng.integers(NUM_PINS, size=count, dtype=np.int32)
        return Pairs(query, same_community(query, rng))

    log_degree = np.log1p(rng.integers(1, 30, size=NUM_PINS)).astype(np.float32)
    data = TrainingData(
        features=FeatureMatrix({"visual": features.astype(np.float32), "log_degree": log_degree}),
        neighborhoods=Neighborhoods(neighbors, weights),
        hard_negatives=rng.integers(NUM_PINS, size=(NUM_PINS, 10), dtype=np.int32),
        train=pairs(1500),
        validation=pairs(300),
        boards=BoardPins.of(community.astype(np.int32), np.arange(NUM_PINS, dtype=np.int32))
        if are_pairs_drawn
        else None,
    )
    settings = {"steps": 40, "batch_size": 32, "num_negatives": 40, "max_hard_negatives": 2, "validate_every": 20}
    settings |= {
        "learning_rate": 5e-3,
        "num_threads": 1,
        "device": "cpu",
        "log_every": 5,
        "checkpoint_every": 7,
        "precision": "float32",
    }
    return PlantedWorld(data, ModelSettings(hidden_dim=16, embedding_dim=8), TrainSettings(**{**settings, **train}))


class KilledError(RuntimeError):
    """The tests' way of ending a training at a step."""


def killed_at(world, scratch, step):
    """Train until the curve reaches `step`, then fail as a crash would."""

    def kill(metrics, now):
        if now >= step:
            raise KilledError

    with pytest.raises(KilledError):
        fit(world.data, world.model, world.train, scratch=scratch, log_metrics=kill)


def outcome(result):
    """Everything of a training that must not depend on where, by whom and in how many attempts it is computed."""
    weights = {name: tensor.cpu().numpy().tobytes() for name, tensor in result.network.state_dict().items()}
    return weights, result.curve, result.validation, result.steps, result.num_replaced, result.popularity


def losses(result):
    """The curve's losses."""
    return [point.loss for point in result.curve]
