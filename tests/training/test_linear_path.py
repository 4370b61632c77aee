"""The saves, past the convolutions: spectral vectors and a learned vector of every pin."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pinsage.features.matrix import FeatureMatrix
from pinsage.training.loop import fit

CHANCE = 10 / 239


def without_content(world, **blocks):
    """The same communities and neighbors, and pins that have neither a picture nor words."""
    start = world(steps=120)
    num_pins = start.data.features.num_pins
    features = {"visual": np.zeros((num_pins, 6), np.float32), **blocks, "log_degree": np.ones(num_pins, np.float32)}
    return replace(start, data=replace(start.data, features=FeatureMatrix(features)))


def test_pins_without_content_are_learned_by_their_ids(world):
    """The ids find the communities; without them all pins look alike, and a tie is as good as chance."""
    bare = without_content(world)
    assert fit(bare.data, bare.model, bare.train).best_hit_rate > 0.4
    never = bare.model.model_copy(update={"id_embedding": "never"})
    assert fit(bare.data, never, bare.train).best_hit_rate < 1.5 * CHANCE


@pytest.mark.parametrize(
    ("choices", "has_path", "has_ids"),
    [
        ({}, True, True),
        ({"id_embedding": "never"}, False, False),
        ({"linear_path": False}, False, False),
        ({"linear_path": False, "id_embedding": "always"}, False, False),
    ],
)
def test_the_path_is_there_where_it_has_something_to_carry(world, choices, has_path, has_ids):
    """Ids by themselves in a small catalog; without ids and without a spectral block there is no path."""
    start = world(steps=1)
    shape = fit(start.data, start.model.model_copy(update=choices), start.train).network.shape
    assert (shape.has_linear_path, shape.num_pins) == (has_path, start.data.features.num_pins if has_ids else 0)


def test_training_begins_at_the_spectral_vectors(world):
    """A first step that is next to nothing leaves the vectors of the saves, joined with those of the neighbors."""
    rng = np.random.default_rng(0)
    spectral = rng.normal(size=(240, 8)).astype(np.float32)
    start = without_content(world, spectral=spectral, has_saves=np.ones(240, np.float32))
    train = start.train.model_copy(update={"steps": 1, "learning_rate": 1e-9})
    network = fit(start.data, start.model.model_copy(update={"embedding_dim": 8}), train).network
    vectors = network.linear_vectors(torch.from_numpy(start.data.features.rows(np.arange(240, dtype=np.int32))),
                                    torch.arange(240))  # fmt: skip
    np.testing.assert_allclose(vectors.detach().numpy(), spectral, atol=1e-6)


def test_a_pin_without_saves_has_no_id_embedding(world):
    """Its learned vector is never read, so training leaves it where it began: at zero."""
    has_saves = np.ones(240, np.float32)
    has_saves[7] = 0
    start = without_content(world, spectral=np.ones((240, 4), np.float32), has_saves=has_saves)
    network = fit(start.data, start.model, start.train).network
    assert network.linear.ids.weight[7].abs().max() == 0
    assert network.linear.ids.weight[8].abs().max() > 0
