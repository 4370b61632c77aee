"""The network for a pin without neighbors, in numpy, beside the network itself."""

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from pinsage.errors import ArtifactDamagedError
from pinsage.model.file import save_network
from pinsage.model.isolated import IsolatedNetwork
from pinsage.model.layerwise import embed_layerwise
from pinsage.model.network import PinSageNetwork
from pinsage.model.shape import CONVOLVED_COLUMNS, NetworkShape

CONTENT = (("visual", 5), ("has_picture", 1), ("text", 3), ("has_text", 1))
SAVES = (("spectral", CONVOLVED_COLUMNS + 7), ("has_saves", 1), ("log_degree", 1))
SHAPES = [
    NetworkShape(CONTENT, 0, 8, 6, "importance"),
    NetworkShape((*CONTENT, ("log_degree", 1)), 2, 8, 6, "max"),
    NetworkShape((*CONTENT, *SAVES), 2, 8, 6, "mean", has_linear_path=True),
    NetworkShape((*CONTENT, *SAVES), 3, 8, 6, "importance", has_linear_path=True, num_pins=4, convolved_length=8**0.5),
]


def trained(shape: NetworkShape, folder) -> PinSageNetwork:
    """A network with weights, moments and id embeddings of its own, saved in a folder."""
    network, rng = PinSageNetwork(shape).eval(), np.random.default_rng(1)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.3 * torch.randn(weight.shape, generator=generator))
    moments = rng.normal(size=shape.num_features), rng.uniform(0.01, 2, size=shape.num_features)
    network.set_moments(*(values.astype(np.float32) for values in moments))
    save_network(network, folder)
    return network


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape.pooling}-{shape.num_layers}")
def test_an_isolated_pin_has_the_embedding_that_inference_gives_it(tmp_path, shape):
    """Pins without saves among pins with neighbors: equal to 1e-6, whatever is pooled and however deep."""
    network, rng = trained(shape, tmp_path), np.random.default_rng(0)
    features = rng.normal(size=(4, shape.num_features)).astype(np.float32)
    for name, _ in SAVES:
        features[:2, shape.columns(name)] = 0
    neighbors = np.array([[0, 0], [1, 1], [0, 3], [2, 1]], np.int32)  # padding is the pin itself with weight 0
    weights = np.array([[0, 0], [0, 0], [0.5, 0.5], [0.9, 0.1]], np.float32)
    expected = embed_layerwise(network, lambda pins: features[pins], neighbors, weights).numpy()
    found = [IsolatedNetwork.open(tmp_path).embed(features[pin]) for pin in (0, 1)]
    np.testing.assert_allclose(found, expected[:2], atol=1e-6)
    assert [vector.dtype for vector in found] == [np.float32, np.float32]


def test_a_pin_of_which_relu_leaves_nothing_is_zero(tmp_path):
    """It is not NaN."""
    network = trained(SHAPES[0], tmp_path)
    with torch.no_grad():
        network.head_hidden.weight.zero_()
        network.head_hidden.bias.fill_(-1)
    save_network(network, tmp_path)
    assert not IsolatedNetwork.open(tmp_path).embed(np.ones(10, np.float32)).any()


@pytest.mark.parametrize("damage", ["NaN", "missing", "short", "shape", "text"])
def test_a_damaged_network_is_refused(tmp_path, damage):
    """One sentence that names the folder, and no vector of NaN later."""
    trained(SHAPES[1], tmp_path)
    weights, path = load_file(tmp_path / "model.safetensors"), tmp_path / "model.safetensors"
    if damage == "NaN":
        weights["head_output.weight"][0, 0] = np.nan
    if damage == "missing":
        del weights["convolutions.1.combine.bias"]
    save_file(weights, path)
    if damage == "short":
        path.write_bytes(path.read_bytes()[:100])
    if damage in ("shape", "text"):
        shape = json.loads((tmp_path / "model.json").read_text())
        (tmp_path / "model.json").write_text(json.dumps({**shape, "embedding_dim": 7}) if damage == "shape" else "{")
    with pytest.raises(ArtifactDamagedError, match="cannot be read"):
        IsolatedNetwork.open(tmp_path)
