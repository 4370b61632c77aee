"""A vector of its own for every pin, where a data set has no content."""

from dataclasses import replace

import numpy as np
import pytest

from pinsage.features.matrix import FeatureMatrix
from pinsage.training.loop import fit

CHANCE = 10 / 239


def without_content(world):
    """The same communities and neighbors, and pins that have neither a picture nor words."""
    start = world(steps=120)
    num_pins = start.data.features.num_pins
    blocks = {"visual": np.zeros((num_pins, 6), np.float32), "log_degree": np.ones(num_pins, np.float32)}
    return replace(start, data=replace(start.data, features=FeatureMatrix(blocks)))


def test_pins_without_content_are_learned_by_their_ids(world):
    """The ids find the communities; without them all pins look alike, and a tie counts as a miss."""
    bare = without_content(world)
    assert fit(bare.data, bare.model, bare.train).best_hit_rate > 0.4
    never = bare.model.model_copy(update={"id_embedding": "never"})
    assert fit(bare.data, never, bare.train).best_hit_rate < CHANCE


@pytest.mark.parametrize(("wanted", "has_content", "id_dim"), [
    ("auto", True, 0), ("auto", False, 64), ("always", True, 64), ("never", False, 0),
])  # fmt: skip
def test_ids_are_used_where_the_settings_say(world, wanted, has_content, id_dim):
    """By themselves only where there is no content."""
    start = world(steps=1) if has_content else without_content(world)
    model = start.model.model_copy(update={"id_embedding": wanted})
    shape = fit(start.data, model, start.train.model_copy(update={"steps": 1})).network.shape
    assert (shape.id_dim, shape.num_pins) == (id_dim, start.data.features.num_pins if id_dim else 0)
