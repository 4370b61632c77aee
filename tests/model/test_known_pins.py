"""A network on another catalog: each pin keeps its id embedding, wherever its row went."""

import numpy as np
import pytest
import torch

from pinsage.model.known_pins import with_pins
from pinsage.model.network import PinSageNetwork
from pinsage.model.shape import NetworkShape

SHAPE = NetworkShape((("spectral", 3), ("has_saves", 1)), 1, 5, 3, "importance", has_linear_path=True, num_pins=4)


@pytest.fixture
def network() -> PinSageNetwork:
    """A network whose id embeddings are 1, 2, 3 and 4 in every column."""
    network = PinSageNetwork(SHAPE, seed=3).eval()
    network.popularity = 0.2
    with torch.no_grad():
        network.linear.ids.weight.copy_(torch.arange(1.0, 5.0)[:, None].expand(4, 3))
    return network


def test_known_pins_keep_their_vectors_and_new_ones_have_none(network):
    """Pin 1 went, one came in front, one behind."""
    other = with_pins(network, np.array([-1, 0, 2, 3, -1], np.int32))
    assert other.linear.ids.weight[:, 0].tolist() == [0, 1, 3, 4, 0]
    assert (other.shape.num_pins, other.popularity, other.training) == (5, 0.2, False)


def test_everything_else_is_the_same(network):
    """Weights, mean and scale."""
    before, after = network.state_dict(), with_pins(network, np.array([3], np.int32)).state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before if name != "linear.ids.weight")


def test_a_network_without_ids_fits_any_catalog():
    """It is given back as it is."""
    shape = NetworkShape((("spectral", 3), ("has_saves", 1)), 1, 5, 3, "importance", has_linear_path=True)
    network = PinSageNetwork(shape)
    assert with_pins(network, np.array([-1, 0], np.int32)) is network
