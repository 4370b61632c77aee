"""The fast code against the paper's own words (reference.py): losses and every gradient, in float64, to 1e-9."""

from dataclasses import dataclass

import numpy as np
import pytest
import reference
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pinsage.batches.builder import BatchBuilder, BatchSettings
from pinsage.batches.minibatch import NeighborSampler
from pinsage.batches.pair_source import ListedPairs
from pinsage.model.layerwise import embed_layerwise
from pinsage.model.network import PinSageNetwork
from pinsage.model.shape import NetworkShape
from pinsage.pairs.pairs import Pairs
from pinsage.settings.schema import TrainSettings
from pinsage.training.loader import Streamed
from pinsage.training.objective import Objective

D, M, OUT, PAIRS, BATCH = 4, 6, 3, 9, 6


@dataclass(frozen=True)
class Case:
    """The make-up of a random world. Few pins: negatives repeat, and meet the queries and positives."""

    seed: int = 0
    num_pins: int = 12
    num_layers: int = 2
    pooling: str = "importance"
    loss: str = "max_margin"
    shared: int = 5
    hard: int = 2


@dataclass(frozen=True)
class RandomWorld:
    """A case in the words of the package."""

    case: Case
    network: PinSageNetwork
    features: np.ndarray
    neighbors: np.ndarray
    weights: np.ndarray
    pairs: Pairs
    candidates: np.ndarray

    @classmethod
    def of(cls, case):
        rng = np.random.default_rng(case.seed)
        shape = NetworkShape((("text", D),), case.num_layers, M, OUT, case.pooling)
        network = PinSageNetwork(shape, seed=case.seed).double()
        for name, parameter in network.named_parameters():
            if name.endswith("bias"):  # they begin at zero, which would hide a bias that is left out
                parameter.data.uniform_(-0.3, 0.3, generator=torch.Generator().manual_seed(case.seed))
        neighbors, weights = tables(rng, case.num_pins)
        pairs = Pairs(*rng.integers(case.num_pins, size=(2, PAIRS), dtype=np.int32))
        candidates = rng.integers(case.num_pins, size=(case.num_pins, 3), dtype=np.int32)
        return cls(case, network, rng.normal(size=(case.num_pins, D)), neighbors, weights, pairs, candidates)

    def minibatch(self, step):
        sizes = BatchSettings(BATCH, self.case.shared, self.case.seed, lambda _: self.case.hard)
        sampler = NeighborSampler(self.neighbors, self.weights, num_layers=self.case.num_layers)
        rows = self.features.__getitem__
        source = ListedPairs(self.pairs, batch_size=BATCH, seed=self.case.seed)
        return BatchBuilder(source, sampler, rows, settings=sizes, candidates=self.candidates).build(step)


def tables(rng, num_pins, width=4):
    """Neighborhoods with from 0 to `width` real neighbors, padded with the pin itself; neighbors may repeat."""
    neighbors = rng.integers(num_pins, size=(num_pins, width), dtype=np.int32)
    weights = rng.random((num_pins, width)) + 0.1
    weights[np.arange(width) >= rng.integers(width + 1, size=(num_pins, 1))] = 0
    weights[0] = 0
    neighbors[weights == 0] = np.nonzero(weights == 0)[0]
    return neighbors, weights / weights.sum(axis=1, keepdims=True).clip(1e-9)


def model_of(network):
    """The parameters under the paper's names."""
    layers = [
        reference.Layer(layer.neighbor.weight, layer.neighbor.bias, layer.combine.weight, layer.combine.bias)
        for layer in network.convolutions
    ]
    head = network.head_hidden.weight, network.head_hidden.bias, network.head_output.weight
    return reference.Model(layers, *head, network.shape.pooling)


def world_of(world):
    """Lists instead of padded tables."""
    rows = zip(world.neighbors.tolist(), world.weights.tolist(), strict=True)
    near = [[(v, alpha) for v, alpha in zip(*row, strict=True) if alpha > 0] for row in rows]
    return reference.World(list(torch.from_numpy(world.features)), near)


def sample_of(batch):
    """The pins behind the positions."""
    nodes = batch.subgraph.nodes
    drawn = (batch.query, batch.positive, batch.negatives, batch.hard_negatives)
    return reference.Sample(*(nodes[positions].tolist() for positions in drawn))


def slow_loss(world, sample):
    z = reference.embeddings(model_of(world.network), world_of(world), sample.pins)
    if world.case.loss == "max_margin":
        return reference.max_margin(z, sample, margin=0.4)
    if world.case.loss == "cross_entropy":
        return reference.cross_entropy(z, sample, temperature=0.5)
    share = np.bincount(world.pairs.positive, minlength=world.case.num_pins) / PAIRS
    expected = BATCH * share + world.case.shared / world.case.num_pins
    return reference.sampled_softmax(z, sample, 0.5, expected, world.case.hard / world.candidates.shape[1])


def fast_loss(world, batch):
    chosen = TrainSettings(loss=world.case.loss, margin=0.4, temperature=0.5)
    return Objective(world.network, chosen, Streamed(torch.device("cpu"))).loss(batch)


def gradients(loss, network):
    found = torch.autograd.grad(loss, list(network.parameters()), allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for g, p in zip(found, network.parameters(), strict=True)]


def check(case):
    world = RandomWorld.of(case)
    batch = world.minibatch(step=case.seed % 3)
    fast, slow = fast_loss(world, batch), slow_loss(world, sample_of(batch))
    torch.testing.assert_close(fast, slow, atol=1e-9, rtol=0)
    slopes = gradients(slow, world.network)
    for ours, theirs in zip(gradients(fast, world.network), slopes, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-9, rtol=0)
    return slow, slopes


@pytest.mark.parametrize("num_layers", [0, 1, 2, 3])
@pytest.mark.parametrize("pooling", ["importance", "mean", "max"])
@pytest.mark.parametrize("loss", ["max_margin", "sampled_softmax", "cross_entropy"])
def test_loss_and_every_gradient_equal_the_reference(num_layers, pooling, loss):
    """For each combination there is, and none is equal for being zero."""
    value, slopes = check(Case(1, num_layers=num_layers, pooling=pooling, loss=loss, num_pins=30))
    assert value > 0.01
    assert all(slope.abs().max() > 1e-6 for slope in slopes)


@settings(max_examples=400, deadline=None)
@given(
    st.builds(
        Case,
        seed=st.integers(0, 10**6),
        num_pins=st.integers(2, 25),
        num_layers=st.integers(0, 3),
        pooling=st.sampled_from(["importance", "mean", "max"]),
        loss=st.sampled_from(["max_margin", "sampled_softmax", "cross_entropy"]),
        shared=st.integers(1, 9),
        hard=st.integers(0, 3),
    )
)
def test_random_worlds_equal_the_reference(case):
    """Down to two pins, where nearly every negative is the query or its positive, and without hard negatives."""
    check(case)


def test_the_random_worlds_hold_what_is_hard():
    """Isolated pins, padding, repeated queries and negatives, accidental positives: all of them in one minibatch."""
    world = RandomWorld.of(Case())
    batch = world.minibatch(0)
    sample = sample_of(batch)
    assert (world.weights.sum(axis=1) == 0).any()
    assert ((world.weights == 0).any(axis=1) & (world.weights > 0).any(axis=1)).any()
    assert len(set(sample.query)) < len(sample.query)
    assert len(set(sample.shared)) < len(sample.shared)
    assert not batch.negative_mask.all()
    assert not batch.hard_mask.all()


@pytest.mark.parametrize("num_layers", [0, 1, 2, 3])
@pytest.mark.parametrize("pooling", ["importance", "mean", "max"])
def test_inference_layer_by_layer_equals_the_reference(num_layers, pooling):
    """Every pin of the catalog at once."""
    world = RandomWorld.of(Case(2, num_pins=25, num_layers=num_layers, pooling=pooling))
    fast = embed_layerwise(world.network, world.features.__getitem__, world.neighbors, world.weights)
    slow = reference.embeddings(model_of(world.network), world_of(world), range(25))
    torch.testing.assert_close(fast, torch.stack([slow[u] for u in range(25)]).detach(), atol=1e-9, rtol=0)


@pytest.mark.parametrize("fault", ["weights", "neighbors", "mask", "transpose", "log_q"])
def test_a_planted_fault_does_not_go_unseen(fault, monkeypatch):
    """The comparison itself can fail."""
    world = RandomWorld.of(Case(1, loss="sampled_softmax"))
    batch = world.minibatch(0)
    slow = slow_loss(world, sample_of(batch))
    if fault == "transpose":
        batch.subgraph.transposes[1].positions[:] = batch.subgraph.transposes[1].positions[::-1].copy()
    elif fault in ("weights", "neighbors"):
        table = getattr(batch.subgraph, fault)
        table[:] = np.roll(table, 1, axis=1)
    else:
        table = batch.negative_mask if fault == "mask" else batch.negative_log_q
        table[...] = 1
    fast = fast_loss(world, batch)
    pairs = zip(gradients(fast, world.network), gradients(slow, world.network), strict=True)
    assert max(float((ours - theirs).abs().max()) for ours, theirs in pairs) > 1e-6
