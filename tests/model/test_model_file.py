"""A network on disk: read back exactly, refused when damaged."""

import json
from dataclasses import replace

import pytest
import torch

from pinsage.errors import ArtifactDamagedError, InputError
from pinsage.model.file import check_features, load_network, save_network
from pinsage.model.network import PinSageNetwork
from pinsage.model.shape import NetworkShape

SHAPE = NetworkShape((("visual", 3), ("log_degree", 1)), 2, 5, 4, "max")


@pytest.fixture
def saved(tmp_path):
    save_network(PinSageNetwork(SHAPE, seed=3), tmp_path)
    return tmp_path


def test_a_network_is_read_back_with_its_shape(saved):
    """Every weight, the moments and the shape survive; the network is in evaluation mode."""
    network = load_network(saved)
    assert network.shape == SHAPE
    assert not network.training
    expected = PinSageNetwork(SHAPE, seed=3).state_dict()
    assert expected.keys() == network.state_dict().keys()
    assert all(torch.equal(expected[name], tensor) for name, tensor in network.state_dict().items())


def test_the_strength_of_popularity_is_read_back(tmp_path):
    """It goes with the embeddings; a model from before there was one has none."""
    network = PinSageNetwork(SHAPE, seed=3)
    network.popularity = 0.05
    save_network(network, tmp_path)
    assert load_network(tmp_path).popularity == 0.05
    shape = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps({name: shape[name] for name in shape if name != "popularity"}))
    assert load_network(tmp_path).popularity == 0


def test_a_model_from_before_the_length_of_convolved_vectors_was_kept_has_the_papers(tmp_path):
    """It goes on giving the embeddings that it was trained to give."""
    save_network(PinSageNetwork(replace(SHAPE, convolved_length=4.0)), tmp_path)
    assert load_network(tmp_path).convolution(0).length == 4
    shape = json.loads((tmp_path / "model.json").read_text())
    del shape["convolved_length"]
    (tmp_path / "model.json").write_text(json.dumps(shape))
    assert load_network(tmp_path).convolution(0).length == 1


def test_saving_twice_gives_the_same_bytes(saved, tmp_path_factory):
    """The files depend on the network alone."""
    other = tmp_path_factory.mktemp("other")
    save_network(load_network(saved), other)
    for name in ("model.safetensors", "model.json"):
        assert (saved / name).read_bytes() == (other / name).read_bytes()


@pytest.mark.parametrize("damage", ["missing", "cut", "no_json", "other_shape", "unknown_field"])
def test_a_damaged_model_is_refused(saved, damage):
    """One error that names the folder, whatever is wrong."""
    weights, shape = saved / "model.safetensors", saved / "model.json"
    if damage == "missing":
        weights.unlink()
    elif damage == "cut":
        weights.write_bytes(weights.read_bytes()[:-3])
    elif damage == "no_json":
        shape.write_text("{")
    else:
        change = {"hidden_dim": 6} if damage == "other_shape" else {"surprise": 1}
        shape.write_text(json.dumps({**json.loads(shape.read_text()), **change}))
    with pytest.raises(ArtifactDamagedError, match=str(saved)):
        load_network(saved)


@pytest.mark.parametrize("widths", [{"visual": 4, "log_degree": 1}, {"log_degree": 1, "visual": 3}, {"visual": 3}])
def test_features_of_other_blocks_are_refused(saved, widths):
    """Other widths, another order or a missing block would be read as nonsense."""
    with pytest.raises(InputError, match=r"visual 3 \| log_degree 1"):
        check_features(load_network(saved), widths, 10)


def test_pins_without_an_id_embedding_are_refused(tmp_path):
    """A catalog that has grown holds pins the network was not trained on."""
    shape = NetworkShape((("text", 3),), 1, 5, 4, "mean", has_linear_path=True, num_pins=10)
    save_network(PinSageNetwork(shape), tmp_path)
    check_features(load_network(tmp_path), {"text": 3}, 10)
    with pytest.raises(InputError, match=r"10 pins and the catalog 11 pins"):
        check_features(load_network(tmp_path), {"text": 3}, 11)
