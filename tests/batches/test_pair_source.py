"""The pairs of each step, from a list and from boards."""

from collections import Counter
from itertools import chain

import numpy as np
import pytest

from pinsage.batches.pair_source import CoMembers, ListedPairs, PairOrder
from pinsage.pairs.board_pins import BoardPins
from pinsage.pairs.pairs import Pairs

N = 25


def boards_of(*boards):
    """Boards by their pins."""
    numbers = np.repeat(np.arange(len(boards)), [len(board) for board in boards])
    return BoardPins.of(numbers.astype(np.int32), np.concatenate(boards).astype(np.int32))


def listed(pairs):
    return list(zip(pairs.query.tolist(), pairs.positive.tolist(), strict=True))


def epochs_of(source, size, batch_size, count):
    """The pairs of the first `count` epochs of `size` pairs."""
    pairs = [pair for step in range(count * size // batch_size + 1) for pair in listed(source.pairs(step))]
    return [pairs[first : first + size] for first in range(0, count * size, size)]


@pytest.mark.parametrize("batch_size", [4, 25, 60])
def test_every_epoch_shows_every_pair_once(batch_size):
    """Batches laid end to end are permutations laid end to end, also when a batch is larger than the set."""
    order = PairOrder(N, batch_size=batch_size, seed=1)
    rows = np.concatenate([order.rows(step) for step in range(3 * N)])
    epochs = [rows[first : first + N].tolist() for first in range(0, len(rows) - N, N)]
    assert all(sorted(epoch) == list(range(N)) for epoch in epochs)
    assert epochs[0] != epochs[1]


def test_listed_pairs_are_those_of_the_list():
    """Once an epoch, in another order each time."""
    rows = np.arange(N, dtype=np.int32)
    epochs = epochs_of(ListedPairs(Pairs(rows, rows + 1), batch_size=4, seed=0), N, 4, 3)
    assert all(sorted(epoch) == [(row, row + 1) for row in range(N)] for epoch in epochs)
    assert epochs[0] != epochs[1]


@pytest.mark.parametrize("batch_size", [4, 60])
def test_every_save_is_a_query_once_an_epoch_with_another_pin_of_its_board(batch_size):
    """Drawn anew: the epochs differ in the pairs, not in their order alone."""
    boards = [[5, 9], [0, 1, 2, 3, 10, 11, 12, 13], [9, 4, 5]]
    epochs = epochs_of(CoMembers(boards_of(*boards), batch_size=batch_size, seed=0), 13, batch_size, 6)
    for epoch in epochs:
        assert sorted(query for query, _ in epoch) == sorted(chain(*boards))
        assert all(query != positive for query, positive in epoch)
        assert all(any({query, positive} <= set(board) for board in boards) for query, positive in epoch)
    assert len({frozenset(Counter(epoch).items()) for epoch in epochs}) == 6


def test_every_ordered_pair_of_a_board_is_drawn_as_often():
    """Counted over 3,000 epochs of a board of four, to five standard deviations; both directions arise."""
    epochs = 3000
    drawn = chain(*epochs_of(CoMembers(boards_of([7, 8, 9, 6]), batch_size=5, seed=3), 4, 5, epochs))
    counts = Counter(drawn)
    assert len(counts) == 12
    expected, deviation = epochs / 3, (epochs * (1 / 3) * (2 / 3)) ** 0.5
    assert all(abs(count - expected) < 5 * deviation for count in counts.values())


def test_a_step_and_a_seed_decide_the_pairs():
    """Whatever was asked before; another seed draws others."""
    boards = boards_of(list(range(20)), list(range(10, 40)))
    forward = CoMembers(boards, batch_size=16, seed=0)
    for step in range(9):
        forward.pairs(step)
    assert listed(forward.pairs(9)) == listed(CoMembers(boards, batch_size=16, seed=0).pairs(9))
    assert listed(forward.pairs(9)) != listed(CoMembers(boards, batch_size=16, seed=1).pairs(9))


def test_the_positive_share_is_what_the_drawing_gives():
    """A pin on two boards is a positive twice as often, whatever the sizes of the boards."""
    source = CoMembers(boards_of([0, 1], [1, 2, 3, 4, 5]), batch_size=7, seed=0)
    share = source.positive_share(7)
    np.testing.assert_allclose(share, np.array([1, 2, 1, 1, 1, 1, 0]) / 7)
    positives = np.concatenate([source.pairs(step).positive for step in range(4000)])
    np.testing.assert_allclose(np.bincount(positives, minlength=7) / len(positives), share, atol=0.01)
