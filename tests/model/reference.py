"""PinSage as the paper writes it down: one pin, one query, one negative at a time, in float64. Imports nothing of ours.

`u`, `v`, `q`, `i`, `n` are pins, `x` features, `h` hidden vectors, `z` embeddings, `alpha` importance weights.
Three departures that the package makes from the paper are part of the definition here too, each marked.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

Neighborhood = list[tuple[int, float]]


@dataclass(frozen=True)
class Layer:
    """Q, q, W and w of one convolution."""

    Q: Tensor
    q: Tensor
    W: Tensor
    w: Tensor


@dataclass(frozen=True)
class Model:
    """All parameters of Algorithm 2 and the way neighbors are pooled."""

    layers: list[Layer]
    G1: Tensor
    g: Tensor
    G2: Tensor
    pooling: str


@dataclass(frozen=True)
class World:
    """x of every pin, and N(u) of every pin with its weights: real neighbors only."""

    x: list[Tensor]
    N: list[Neighborhood]


@dataclass(frozen=True)
class Sample:
    """The pairs of a minibatch and its negatives, as pins; `hard[b]` belongs to query b."""

    query: list[int]
    positive: list[int]
    shared: list[int]
    hard: list[list[int]]

    @property
    def pins(self):
        return {*self.query, *self.positive, *self.shared, *(n for own in self.hard for n in own)}


def unit(vector):
    """v / ‖v‖₂; a vector of zeros, for which the paper has no answer, stays zero."""
    length = vector.norm()
    return vector / length if length > 0 else vector * 0


def gamma(vectors, alpha, pooling):
    """γ: the importance-weighted sum, the mean, or the largest of each element. No neighbors: zeros."""
    if pooling == "importance":
        return sum(a * vector for a, vector in zip(alpha, vectors, strict=True))
    if pooling == "mean":
        return sum(vectors) / len(vectors)
    return torch.stack(vectors).max(dim=0).values


def convolve(layer, h_u, near, alpha, pooling):
    """Algorithm 1."""
    if near:
        n_u = gamma([torch.relu(layer.Q @ h_v + layer.q) for h_v in near], alpha, pooling)  # line 1
    else:
        n_u = torch.zeros_like(layer.q)
    z_u = torch.relu(layer.W @ torch.cat([h_u, n_u]) + layer.w)  # line 2
    return unit(z_u)  # line 3


def embeddings(model, world, minibatch):
    """Algorithm 2: z of every pin of the set `minibatch`, by pin."""
    K = len(model.layers)
    S = [set()] * K + [set(minibatch)]
    for k in range(K, 0, -1):
        S[k - 1] = S[k] | {v for u in S[k] for v, _ in world.N[u]}  # lines 2-5
    h = {u: world.x[u] for u in S[0]}
    for k in range(1, K + 1):
        h = {
            u: convolve(
                model.layers[k - 1],
                h[u],
                [h[v] for v, _ in world.N[u]],
                [alpha for _, alpha in world.N[u]],
                model.pooling,
            )
            for u in S[k]
        }  # lines 7-13
    # Differs from the paper: unit length at the end.
    return {u: unit(model.G2 @ torch.relu(model.G1 @ h[u] + model.g)) for u in minibatch}  # lines 14-16


def max_margin(z, sample, margin):
    """Eq. 1, averaged over the pairs; accidental positives do not count.

    Differs from the paper: a mean over the shared negatives plus a mean over the hard ones, not one mean over all.
    """
    total = torch.zeros((), dtype=torch.float64, requires_grad=True)
    for q, i, hard in zip(sample.query, sample.positive, sample.hard, strict=True):
        for negatives in (sample.shared, hard):
            losses = [torch.relu(z[q] @ z[n] - z[q] @ z[i] + margin) for n in negatives if n not in (q, i)]
            total = total + (sum(losses) / len(losses) if losses else 0.0)
    return total / len(sample.query)


def cross_entropy(z, sample, temperature):
    """GraphSAGE's loss (Hamilton et al., Eq. 1), averaged over the pairs; the means over negatives are max_margin's."""
    total = torch.zeros((), dtype=torch.float64, requires_grad=True)
    for q, i, hard in zip(sample.query, sample.positive, sample.hard, strict=True):
        total = total - torch.log(torch.sigmoid(z[q] @ z[i] / temperature))
        for negatives in (sample.shared, hard):
            losses = [-torch.log(torch.sigmoid(-z[q] @ z[n] / temperature)) for n in negatives if n not in (q, i)]
            total = total + (sum(losses) / len(losses) if losses else 0.0)
    return total / len(sample.query)


def sampled_softmax(z, sample, temperature, expected_count, expected_hard):
    """−log of the positive's share of the softmax, averaged over the pairs.

    Differs from the paper: this loss is later practice. Each pin's score is lowered by the log of how often it is
    expected in a minibatch: `expected_count[n]` among positives and shared negatives, `expected_hard` as a hard one.
    """
    total = torch.zeros((), dtype=torch.float64, requires_grad=True)
    for q, i, hard in zip(sample.query, sample.positive, sample.hard, strict=True):

        def logit(n, expected, q=q):
            return z[q] @ z[n] / temperature - math.log(expected)

        own = logit(i, expected_count[i])
        sampled = [logit(n, expected_count[n]) for n in sample.positive + sample.shared if n not in (q, i)]
        sampled += [logit(n, expected_hard) for n in hard if n not in (q, i)]
        total = total + torch.log(sum(torch.exp(logit) for logit in [own, *sampled])) - own
    return total / len(sample.query)
