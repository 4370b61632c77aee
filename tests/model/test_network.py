"""Algorithm 2: the whole network over a sub-graph."""

import numpy as np
import pytest
import torch

from pinsage.batches.minibatch import NeighborSampler
from pinsage.model.convolve import Convolve
from pinsage.model.network import PinSageNetwork, SubgraphTensors, aligned
from pinsage.model.shape import NetworkShape

P, T, D = 60, 4, 7
LENGTH = 2.5  # of convolved vectors


def world(num_layers, pooling="importance", seed=0, linear=""):
    """A network in float64 with real moments, features and a neighborhood table with padding."""
    rng = np.random.default_rng(seed)
    blocks = (
        (("visual", 4), ("spectral", 2), ("has_saves", 1)) if "spectral" in linear else (("visual", 5), ("text", 2))
    )
    shape = NetworkShape(blocks, num_layers, 6, 3, pooling, bool(linear), P if "ids" in linear else 0, LENGTH)
    network = PinSageNetwork(shape, seed=1).double()
    if network.linear is not None and network.linear.ids is not None:
        torch.nn.init.normal_(network.linear.ids.weight, generator=torch.Generator().manual_seed(2))
    features = rng.normal(3.0, 2.0, (P, D))
    if "spectral" in linear:
        features[:, 6] = rng.integers(2, size=P)
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
            read = [
                column for column in range(D) if not network.shape.unread.start <= column < network.shape.unread.stop
            ]
            return raw[read].clamp(-10, 10)
        c = network.convolution(layer - 1)
        n = torch.zeros(c.neighbor.out_features, dtype=torch.float64)
        for v, alpha in zip(neighbors[pin], weights[pin], strict=True):
            n = n + alpha * torch.relu(c.neighbor.weight @ hidden(v, layer - 1) + c.neighbor.bias)
        z = torch.relu(c.combine.weight @ torch.cat([hidden(pin, layer - 1), n]) + c.combine.bias)
        return LENGTH * z / z.norm().clamp_min(1e-6)

    h = hidden(pin, network.shape.num_layers)
    z = network.head_output.weight @ torch.relu(network.head_hidden.weight @ h + network.head_hidden.bias)
    if network.linear is not None:
        z = z + slow_linear_part(network, pin, features, neighbors, weights)
    return z / z.norm().clamp_min(1e-6)


def slow_linear_part(network, pin, features, neighbors, weights):
    """b_u + λ unit(Σ α_uv b_v) with b = W s + e; b_u alone where there are no convolutions, and so no neighbors."""

    def vector(pin):
        found = torch.zeros(3, dtype=torch.float64)
        if network.linear.spectral is not None:
            found = found + network.linear.spectral.weight @ torch.from_numpy(features[pin, 4:6])
        if network.linear.ids is not None:
            has_saves = features[pin, 6] if network.linear.spectral is not None else 1
            found = found + has_saves * network.linear.ids.weight[pin]
        return found

    if not network.shape.num_layers:
        return vector(pin)
    near = sum(alpha * vector(v) for v, alpha in zip(neighbors[pin], weights[pin], strict=True))
    return vector(pin) + network.linear.log_share.exp() * near / near.norm().clamp_min(1e-6)


@pytest.mark.parametrize("linear", ["", "spectral", "ids", "spectral and ids"])
@pytest.mark.parametrize("num_layers", [0, 1, 2, 3])
def test_embeddings_and_gradients_equal_the_recursive_definition(num_layers, linear):
    """The minibatch form of K layers is the definition, forward and backward, to 1e-9."""
    network, features, neighbors, weights = world(num_layers, linear=linear)
    targets = np.array([5, 0, 33], np.int32)
    subgraph, _ = NeighborSampler(neighbors, weights, num_layers=num_layers).sample(targets, transposed=True)
    tensors = SubgraphTensors.of(subgraph, torch.device("cpu"))
    fast = network(torch.from_numpy(features[subgraph.nodes]), tensors)
    slow = torch.stack([slow_embedding(network, pin, features, neighbors, weights) for pin in targets])
    torch.testing.assert_close(fast, slow, atol=1e-9, rtol=0)

    direction = torch.linspace(-1, 1, fast.numel(), dtype=torch.float64).reshape(fast.shape)
    parameters = list(network.parameters())
    fast_gradients = torch.autograd.grad(
        (fast * direction).sum(), parameters, allow_unused=True, materialize_grads=True
    )
    slow_gradients = torch.autograd.grad(
        (slow * direction).sum(), parameters, allow_unused=True, materialize_grads=True
    )
    for a, b in zip(fast_gradients, slow_gradients, strict=True):
        torch.testing.assert_close(a, b, atol=1e-9, rtol=0)


@pytest.mark.parametrize("num_layers", [0, 1, 2])
def test_convolutions_read_the_first_columns_of_the_spectral_block_alone(num_layers, monkeypatch):
    """What is cut off reaches the output by the linear path, which the recursive definition shows."""
    monkeypatch.setattr("pinsage.model.shape.CONVOLVED_COLUMNS", 1)
    test_embeddings_and_gradients_equal_the_recursive_definition(num_layers, "spectral and ids")
    network, features, _, _ = world(num_layers, linear="spectral")
    assert network.shape.unread == slice(5, 6)
    assert network.standardize(torch.from_numpy(features)).shape == (P, D - 1)


def test_features_are_standardized_and_cut():
    """A column gets mean 0 and scale 1; a freak value is cut at 10."""
    network, features, _, _ = world(0)
    features[0, 0] = 1e9
    standard = network.standardize(torch.from_numpy(features))
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


def test_columns_of_zeros_change_no_product():
    """A GPU gets them, whose products want rows of whole 16 bytes."""
    rng = torch.Generator().manual_seed(0)
    nodes, layer = torch.randn(30, 21, generator=rng), Convolve(21, 16, "importance")
    wider = aligned(nodes)
    assert wider.shape == (30, 24)
    assert not wider[:, 21:].any()
    assert aligned(wider) is wider
    neighbors, weights = torch.randint(30, (10, 4), dtype=torch.int32, generator=rng), torch.rand(10, 4, generator=rng)
    torch.testing.assert_close(layer(wider, neighbors, weights), layer(nodes, neighbors, weights))
