"""Algorithm 1 against loops that read like the paper, in float64."""

import pytest
import torch

from pinsage.model.convolve import Convolve, unit_length
from pinsage.model.pooling import pool

N, OUTPUTS, T, INPUTS, M = 11, 6, 4, 5, 3


def world(seed=0):
    """Nodes, neighbors and weights with padding: node 0 is isolated, node 1 has a single neighbor."""
    rng = torch.Generator().manual_seed(seed)
    nodes = torch.randn(N, INPUTS, generator=rng, dtype=torch.float64)
    neighbors = torch.randint(N, (OUTPUTS, T), generator=rng, dtype=torch.int32)
    weights = torch.rand(OUTPUTS, T, generator=rng, dtype=torch.float64)
    weights[0], weights[1, 1:] = 0, 0
    return nodes, neighbors, weights / weights.sum(dim=1, keepdim=True).clamp_min(1e-9)


def transposed(neighbors):
    """Places in the flattened neighbor table, by node: the slow way."""
    flat = neighbors.flatten().tolist()
    places = [[place for place, node in enumerate(flat) if node == own] for own in range(N)]
    offsets = [0]
    for mine in places:
        offsets.append(offsets[-1] + len(mine))
    return torch.tensor(offsets, dtype=torch.int32), torch.tensor(
        [place for mine in places for place in mine], dtype=torch.int32
    )


def slow_pool(vectors, weights, pooling):
    """One pin's γ, one neighbor at a time."""
    real = [(vector, weight) for vector, weight in zip(vectors, weights, strict=True) if weight > 0]
    if not real:
        return torch.zeros(M, dtype=torch.float64)
    if pooling == "max":
        return torch.stack([vector for vector, _ in real]).max(dim=0).values
    if pooling == "mean":
        return sum(vector for vector, _ in real) / len(real)
    return sum(vector * weight for vector, weight in real)


def slow_convolve(layer, nodes, neighbors, weights):
    """Algorithm 1 as written: one pin at a time, concat and all."""
    rows = []
    for pin in range(len(neighbors)):
        near = [torch.relu(layer.neighbor.weight @ nodes[v] + layer.neighbor.bias) for v in neighbors[pin].tolist()]
        both = torch.cat([nodes[pin], slow_pool(near, weights[pin], layer.pooling)])
        z = torch.relu(layer.combine.weight @ both + layer.combine.bias)
        rows.append(z / z.norm() if z.norm() > 0 else z)
    return torch.stack(rows)


@pytest.mark.parametrize("has_transpose", [True, False])
@pytest.mark.parametrize("pooling", ["importance", "mean", "max"])
def test_a_convolution_and_its_gradients_equal_the_loops_of_the_paper(pooling, has_transpose):
    """Forward and every gradient agree to 1e-9, with and without the transposed backward pass."""
    torch.manual_seed(3)
    layer = Convolve(INPUTS, M, pooling).double()
    nodes, neighbors, weights = world()
    nodes.requires_grad_()
    leaves = [nodes, *layer.parameters()]
    target = torch.randn(OUTPUTS, M, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    fast = layer(nodes, neighbors, weights, transposed(neighbors) if has_transpose else None)
    slow = slow_convolve(layer, nodes, neighbors, weights)

    torch.testing.assert_close(fast, slow, atol=1e-9, rtol=0)
    for a, b in zip(
        torch.autograd.grad((fast * target).sum(), leaves),
        torch.autograd.grad((slow * target).sum(), leaves),
        strict=True,
    ):
        assert b.abs().max() > 1e-3
        torch.testing.assert_close(a, b, atol=1e-9, rtol=0)


def test_the_transposed_backward_pass_agrees_with_finite_differences():
    """The hand-written gradient is the derivative."""
    table = torch.rand(N, M, dtype=torch.float64, generator=torch.Generator().manual_seed(2)).requires_grad_()
    _, neighbors, weights = world()
    back = transposed(neighbors)
    assert torch.autograd.gradcheck(
        lambda t: pool(t, neighbors, weights, pooling="importance", transpose=back), (table,)
    )


@pytest.mark.parametrize("pooling", ["importance", "mean", "max"])
def test_a_pin_without_neighbors_gets_a_zero_summary(pooling):
    """An isolated pin is described by its own features alone."""
    _, neighbors, weights = world()
    table = torch.rand(N, M, dtype=torch.float64) + 1
    summary = pool(table, neighbors, weights, pooling=pooling, transpose=None)
    assert summary[0].tolist() == [0.0] * M
    assert (summary[1:] > 0).all()


def test_every_vector_has_unit_length():
    """Algorithm 1, line 3."""
    nodes, neighbors, weights = world()
    torch.manual_seed(3)
    lengths = Convolve(INPUTS, M, "importance").double()(nodes, neighbors, weights).norm(dim=1)
    assert ((lengths - 1).abs() < 1e-12).logical_or(lengths == 0).all()
    assert (lengths > 0).any()


def test_a_vector_that_relu_emptied_stays_zero_and_gives_finite_gradients():
    """A dead pin must not turn the network into NaN."""
    layer = Convolve(INPUTS, M, "importance").double()
    torch.nn.init.constant_(layer.combine.bias, -100.0)
    nodes, neighbors, weights = world()
    z = layer(nodes, neighbors, weights, transposed(neighbors))
    z.sum().backward()
    assert z.abs().sum() == 0
    assert all(torch.isfinite(parameter.grad).all() for parameter in layer.parameters())


def test_unit_length_keeps_directions():
    """(3, 4) becomes (0.6, 0.8); zero stays zero."""
    vectors = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    torch.testing.assert_close(unit_length(vectors), torch.tensor([[0.6, 0.8], [0.0, 0.0]]))
