"""Memory that is used again once nobody reads it."""

import gc
import threading
from dataclasses import asdict

import numpy as np
import pytest
import torch

from pinsage.batches.builder import BatchBuilder, BatchSettings
from pinsage.batches.memory import MemoryPool, copy_into
from pinsage.batches.minibatch import NeighborSampler
from pinsage.batches.pair_source import ListedPairs
from pinsage.pairs.pairs import Pairs


def filled(memory, value, shape=(4, 3)):
    array = memory.array(shape)
    array[...] = value
    return array


def address(array):
    return array.__array_interface__["data"][0]


def test_the_block_of_an_array_that_is_gone_is_used_again():
    """Also for a smaller one."""
    memory = MemoryPool()
    first = filled(memory, 1)
    place = address(first)
    del first
    assert address(memory.array((2, 3))) == place


@pytest.mark.parametrize("view", [lambda a: a, lambda a: a[1:], lambda a: a.reshape(-1)[::2], torch.from_numpy])
def test_whatever_refers_to_the_memory_keeps_it(view):
    """An array, a view of a view, a tensor: none of them changes when more is lent."""
    memory = MemoryPool()
    kept = view(filled(memory, 1))
    others = [filled(memory, 2) for _ in range(5)]
    assert (kept == 1).all()
    assert all((other == 2).all() for other in others)


def test_what_autograd_has_saved_is_not_overwritten():
    """A backward pass that comes after three more minibatches gives the gradient of its own."""
    memory, weight = MemoryPool(), torch.ones(3, 2, requires_grad=True)
    loss = (torch.from_numpy(filled(memory, 1)) @ weight).sum()
    for value in (7, 8, 9):
        filled(memory, value)
    loss.backward()
    assert weight.grad.tolist() == [[4.0, 4.0]] * 3


def test_blocks_never_outnumber_the_arrays_alive_at_once():
    """Growing minibatches replace their blocks instead of adding to them."""
    sizes = []

    def counted(size_bytes):
        sizes.append(size_bytes)
        return memoryview(np.empty(size_bytes, np.uint8))

    memory = MemoryPool(counted)
    for rows in (1000, 900, 1100, 1400, 1200, 1500):
        pair = [memory.array((rows, 3)), memory.array((rows, 3))]
        del pair
    assert len(memory._free) == 2
    assert len(sizes) == 4  # 1000 and 1100 fit one block with its slack, 1400 and 1500 another


def test_a_small_array_does_not_take_the_block_of_a_large_one():
    """The features of a minibatch and its masks come back to blocks of their own sizes."""
    memory = MemoryPool()
    large, small = memory.array((100_000, 3)), memory.array((50, 3), np.int32)
    places = address(large), address(small)
    del large, small
    again = memory.array((50, 3), np.int32), memory.array((100_000, 3))
    assert (address(again[1]), address(again[0])) == places


def test_threads_never_share_a_block():
    """Eight threads fill and check arrays of their own."""
    memory, wrong = MemoryPool(), []

    def work(value):
        for _ in range(300):
            array = filled(memory, value, (50, 40))
            if not (array == value).all():
                wrong.append(value)

    workers = [threading.Thread(target=work, args=(value,)) for value in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert wrong == []
    gc.collect()
    assert len(memory._free) <= 16  # a thread holds its last array until it has the next one


def minibatch(step):
    """One of a world of 300 pins."""
    rng = np.random.default_rng(0)
    neighbors, features = rng.integers(300, size=(300, 3), dtype=np.int32), rng.random((300, 2), dtype=np.float32)
    settings = BatchSettings(batch_size=60, num_negatives=40, seed=0, hard_negatives_at=lambda step: 2)
    sampler = NeighborSampler(neighbors, np.ones((300, 3), np.float32), num_layers=2)
    pairs = Pairs(*rng.integers(300, size=(2, 200), dtype=np.int32))
    source = ListedPairs(pairs, batch_size=60, seed=0)
    builder = BatchBuilder(source, sampler, features.__getitem__, settings=settings, candidates=neighbors)
    return builder.build(step)


def test_a_minibatch_is_held_with_all_its_arrays():
    """Equal in everything, and every array but the features lies in memory of ours, which is used again."""
    blocks = []

    def new_block(size_bytes):
        blocks.append(np.empty(size_bytes, np.uint8).data)
        return blocks[-1]

    memory, counts = MemoryPool(new_block), []
    for step in range(4):
        batch = minibatch(step)
        held = copy_into(memory, batch)
        np.testing.assert_equal(asdict(held), asdict(batch))
        assert not np.shares_memory(held.query, batch.query)
        assert not np.shares_memory(held.subgraph.transposes[0].positions, batch.subgraph.transposes[0].positions)
        assert held.features is batch.features
        counts.append(len(blocks))
        del held
    assert counts[-1] - counts[0] <= 2
