"""Which pairs and negatives make a minibatch."""

from dataclasses import asdict

import numpy as np
import pytest

from pinsage.batches.builder import BatchBuilder, BatchSettings
from pinsage.batches.minibatch import NeighborSampler
from pinsage.batches.pair_source import CoMembers, ListedPairs, PairOrder
from pinsage.batches.producer import BatchProducer
from pinsage.pairs.board_pins import BoardPins
from pinsage.pairs.pairs import Pairs

P, N = 40, 25
RNG = np.random.default_rng(0)
PAIRS = Pairs(RNG.integers(P, size=N, dtype=np.int32), RNG.integers(P, size=N, dtype=np.int32))
NEIGHBORS = RNG.integers(P, size=(P, 3), dtype=np.int32)
FEATURES = RNG.random((P, 2), dtype=np.float32)
BOARDS = BoardPins.of(
    np.repeat(np.arange(5), 6).astype(np.int32),
    np.concatenate([RNG.choice(P, 6, replace=False) for _ in range(5)]).astype(np.int32),
)
CANDIDATES = RNG.integers(P, size=(P, 8), dtype=np.int32)


def builder(seed=0, hard=2, batch_size=6, boards=None):
    settings = BatchSettings(batch_size=batch_size, num_negatives=4, seed=seed, hard_negatives_at=lambda step: hard)
    sampler = NeighborSampler(NEIGHBORS, np.ones((P, 3), np.float32), num_layers=2)
    sizes = {"batch_size": batch_size, "seed": seed}
    source = ListedPairs(PAIRS, **sizes) if boards is None else CoMembers(boards, **sizes)
    return BatchBuilder(source, sampler, FEATURES.__getitem__, settings=settings, candidates=CANDIDATES)


def test_a_step_number_is_all_that_decides_a_minibatch():
    """Built in another order, by another recipe, step 7 is the same in every array."""
    forward = builder()
    for step in range(7):
        forward.build(step)
    np.testing.assert_equal(asdict(forward.build(7)), asdict(builder().build(7)))
    assert not np.array_equal(builder().build(7).negatives, builder(seed=1).build(7).negatives)


@pytest.mark.parametrize("boards", [None, BOARDS])
def test_threads_do_not_change_a_minibatch(boards):
    """One recipe behind one producer thread or four: the same minibatches in the same order, over epochs' ends."""

    def batches(num_producers):
        with BatchProducer(builder(boards=boards).build, first=0, last=30, num_producers=num_producers) as producer:
            return [asdict(batch) for batch in producer]

    np.testing.assert_equal(batches(4), batches(1))


def test_positions_lead_back_to_the_pairs_and_candidates():
    """What the network scores is what was drawn."""
    batch, order = builder().build(3), PairOrder(N, batch_size=6, seed=0)
    nodes, rows = batch.subgraph.nodes, order.rows(3)
    assert nodes[batch.query].tolist() == PAIRS.query[rows].tolist()
    assert nodes[batch.positive].tolist() == PAIRS.positive[rows].tolist()
    assert batch.hard_negatives.shape == (6, 2)
    for query, hard in zip(nodes[batch.query], nodes[batch.hard_negatives], strict=True):
        assert set(hard) <= set(CANDIDATES[query])
    assert batch.negatives.max() < batch.subgraph.sizes[0]
    np.testing.assert_array_equal(batch.features, FEATURES[nodes])


def test_masks_hide_exactly_the_pair_itself():
    """In all three tables of negatives, checked one by one."""
    batch = builder(hard=8).build(0)
    nodes = batch.subgraph.nodes
    tables = [
        (np.broadcast_to(nodes[batch.negatives], (6, 4)), batch.negative_mask),
        (nodes[batch.hard_negatives], batch.hard_mask),
        (np.broadcast_to(nodes[batch.positive], (6, 6)), batch.positive_mask),
    ]
    for pins, mask in tables:
        for row in range(6):
            pair = {nodes[batch.query[row]], nodes[batch.positive[row]]}
            assert mask[row].tolist() == [pin not in pair for pin in pins[row]]
    assert not batch.positive_mask.diagonal().any()


@pytest.mark.parametrize("boards", [None, BOARDS])
def test_log_q_is_the_log_of_the_expected_count(boards):
    """Counted over many batches, a pin appears among positives and shared negatives as often as log q says."""
    source, batches = builder(boards=boards), 500
    counts = np.zeros(P)
    for step in range(batches):
        batch = source.build(step)
        pins = batch.subgraph.nodes[np.concatenate([batch.positive, batch.negatives])]
        counts += np.bincount(pins, minlength=P)
    last = source.build(0)
    for positions, log_q in ((last.positive, last.positive_log_q), (last.negatives, last.negative_log_q)):
        measured = counts[last.subgraph.nodes[positions]] / batches
        np.testing.assert_allclose(np.exp(log_q), measured, rtol=0.5)
        assert np.exp(log_q).sum() == pytest.approx(measured.sum(), rel=0.15)
    assert last.hard_log_q == pytest.approx(np.log(2 / 8))
