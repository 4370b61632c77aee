"""Every pin at once equals every pin from its own sub-graph."""

import numpy as np
import pytest
import torch

from pinsage.batches.minibatch import NeighborSampler
from pinsage.model import layerwise
from pinsage.model.network import PinSageNetwork, SubgraphTensors
from pinsage.model.shape import NetworkShape


@pytest.mark.parametrize("pooling", ["importance", "mean", "max"])
@pytest.mark.parametrize(("num_layers", "linear"), [(0, False), (0, True), (1, True), (2, False), (2, True)])
def test_layer_by_layer_equals_minibatch_by_minibatch(num_layers, linear, pooling, monkeypatch):
    """The same embeddings to 1e-5, also when the chunks do not divide the pins."""
    monkeypatch.setattr(layerwise, "CHUNK", 16)
    rng, num_pins = np.random.default_rng(0), 70
    features = rng.normal(size=(num_pins, 6)).astype(np.float32)
    neighbors = rng.integers(num_pins, size=(num_pins, 5), dtype=np.int32)
    weights = rng.random((num_pins, 5), dtype=np.float32)
    weights[3] = 0
    blocks = (("text", 2), ("spectral", 3), ("has_saves", 1))
    shape = NetworkShape(blocks, num_layers, 8, 4, pooling, linear, num_pins if linear else 0)
    network = PinSageNetwork(shape).eval()

    whole = layerwise.embed_layerwise(network, features.__getitem__, neighbors, weights)

    sampler = NeighborSampler(neighbors, weights, num_layers=num_layers)
    for pins in np.array_split(rng.permutation(num_pins).astype(np.int32), 3):
        subgraph, positions = sampler.sample(pins)
        with torch.no_grad():
            tensors = SubgraphTensors.of(subgraph, torch.device("cpu"))
            some = network(torch.from_numpy(features[subgraph.nodes]), tensors)
        torch.testing.assert_close(some[positions], whole[pins], atol=1e-5, rtol=0)
