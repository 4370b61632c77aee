"""Algorithm 2: the whole network over a sub-graph."""

import numpy as np
import pytest
import torch

from pinsage.batches.minibatch import Expander
from pinsage.model.network import NetworkShape, PinSageNetwork, SubgraphTensors

P, T, D = 60, 4, 7


def world(num_layers, pooling="importance", seed=0, id_dim=0):
    """A network in float64 with real moments, features and a neighborhood table with padding."""
    rng = np.random.default_rng(seed)
    shape = NetworkShape((("visual", 5), ("text", 2)), num_layers, 6, 3, pooling, id_dim, P if id_dim else 0)
    network = PinSageNetwork(shape, seed=1).double()
    features = rng.normal(3.0, 2.0, (P, D))
    network.set_moments(features.mean(axis=0), features.std(axis=0))
    neighbors = rng.integers(P, size=(P, T), dtype=np.int32)
    weights = rng.random((P, T))
    weights[::7, 2:] = 0
    neighbors[weights == 0] = np.nonzero(weights == 0)[0]
    weights /= weights.sum(axis=1, keepdims=True)
    return network, features, neighbors, weights


def slow_embedding(network, pin, features, neighbors, weights):
    """z of one pin, by recursion over the layers as the definition reads."""

    def hidden(pin, layer):
        if layer == 0:
            raw = (torch.from_numpy(features[pin]) - network.mean) / network.scale
            return torch.cat([raw.clamp(-10, 10)] + ([] if network.ids is None else [network.ids.weight[pin]]))
        c = network.convolution(layer - 1)
        n = torch.zeros(c.neighbor.out_features, dtype=torch.float64)
        for v, alpha in zip(neighbors[pin], weights[pin], strict=True):
            n = n + alpha * torch.relu(c.neighbor.weight @ hidden(v, layer - 1) + c.neighbor.bias)
        z = torch.relu(c.combine.weight @ torch.cat([hidden(pin, layer - 1), n]) + c.combine.bias)
        return z / z.norm().clamp_min(1e-6)

    h = hidden(pin, network.shape.num_layers)
    z = network.head_output.weight @ torch.relu(network.head_hidden.weight @ h + network.head_hidden.bias)
    return z / z.norm().clamp_min(1e-6)


@pytest.mark.parametrize("id_dim", [0, 3])
@pytest.mark.parametrize("num_layers", [0, 1, 2, 3])
def test_embeddings_and_gradients_equal_the_recursive_definition(num_layers, id_dim):
    """The minibatch form of K layers is the definition, forward and backward, to 1e-9."""
    network, features, neighbors, weights = world(num_layers, id_dim=id_dim)
    targets = np.array([5, 0, 33], np.int32)
    subgraph, _ = Expander(neighbors, weights, num_layers=num_layers).expand(targets, transposed=True)
    tensors = SubgraphTensors.of(subgraph, torch.device("cpu"))
    fast = network(torch.from_numpy(features[subgraph.nodes]), tensors)
    slow = torch.stack([slow_embedding(network, pin, features, neighbors, weights) for pin in targets])
    torch.testing.assert_close(fast, slow, atol=1e-9, rtol=0)

    direction = torch.linspace(-1, 1, fast.numel(), dtype=torch.float64).reshape(fast.shape)
    fast_gradients = torch.autograd.grad((fast * direction).sum(), list(network.parameters()))
    slow_gradients = torch.autograd.grad((slow * direction).sum(), list(network.parameters()))
    for a, b in zip(fast_gradients, slow_gradients, strict=True):
        torch.testing.assert_close(a, b, atol=1e-9, rtol=0)


def test_features_are_standardized_and_cut():
    """A column gets mean 0 and scale 1; a freak value is cut at 10."""
    network, features, _, _ = world(0)
    features[0, 0] = 1e9
    standard = network.standardized(torch.from_numpy(features))
    assert standard[0, 0] == 10
    torch.testing.assert_close(standard[:, 1:].mean(dim=0), torch.zeros(D - 1, dtype=torch.float64), atol=1e-6, rtol=0)
    torch.testing.assert_close(
        standard[:, 1:].std(dim=0, correction=0), torch.ones(D - 1, dtype=torch.float64), atol=1e-6, rtol=0
    )


def test_the_seed_alone_decides_the_first_weights():
    """Networks of one seed are equal whatever else draws random numbers; of two seeds they differ."""
    shape = NetworkShape((("text", 4),), 1, 8, 2, "mean")
    torch.manual_seed(0)
    one = PinSageNetwork(shape, seed=5).head_hidden.weight
    torch.rand(10)
    assert torch.equal(one, PinSageNetwork(shape, seed=5).head_hidden.weight)
    assert not torch.equal(one, PinSageNetwork(shape, seed=6).head_hidden.weight)
