"""The order of saves in time, what of a board is held out, and which saves are neighbors."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pinsage.pairs import timeline
from pinsage.pairs.board_blocks import UNTIMED, BoardBlock
from pinsage.pairs.timeline import (
    TEST,
    TRAIN,
    VALIDATION,
    adjacent_pairs,
    held_out_pairs,
    save_splits,
    sort_by_board_and_pin,
    sort_by_time,
)
from pinsage.settings.schema import PairSettings


def test_small_boards_keep_all_their_saves(tmp_path):
    """Below `min_board_saves` nothing is held out; at it, one test save; above it, one validation save too."""
    sizes = [2, 3, 4, 5]
    boards = np.repeat(np.arange(4), sizes).astype(np.int32)
    assert save_splits(boards, PairSettings()).tolist() == [
        *(TRAIN, TRAIN),
        *(TRAIN, TRAIN, TEST),
        *(TRAIN, TRAIN, VALIDATION, TEST),
        *(TRAIN, TRAIN, TRAIN, VALIDATION, TEST),
    ]


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=20),
    st.floats(0, 0.6),
    st.floats(0, 0.39),
    st.integers(2, 6),
)
@settings(max_examples=100, deadline=None)
def test_splits_of_a_board_follow_each_other(sizes, test_share, validation_share, min_saves):
    """Train, then validation, then test on every board; a share that is not 0 is never empty on a larger board."""
    choices = PairSettings(test_share=test_share, validation_share=validation_share, min_board_saves=min_saves)
    boards = np.repeat(np.arange(len(sizes)), sizes).astype(np.int32)
    if not len(boards):
        return
    splits = save_splits(boards, choices)
    for board, size in enumerate(sizes):
        own = splits[boards == board]
        assert (np.diff(own) >= 0).all()
        assert size == 0 or own[0] == TRAIN
        assert ((own == TEST).any()) == (test_share > 0 and size >= min_saves)
        if validation_share > 0 and size > min_saves and test_share < 0.5:
            assert (own == VALIDATION).any()
        if size < min_saves:
            assert (own == TRAIN).all()


BOARDS = st.lists(st.integers(0, 12), max_size=6)


@given(BOARDS, st.integers(0, 2**31))
@settings(max_examples=100, deadline=None)
def test_saves_are_in_the_order_of_time_and_then_of_their_draws(sizes, seed):
    """Against numpy's lexsort, where the last key is the first to sort by."""
    rng = np.random.default_rng(seed)
    boards = np.repeat(np.arange(len(sizes)), sizes).astype(np.int32)
    times = rng.choice([UNTIMED, 5, 7, 2**60], len(boards))
    pins, draws = rng.permutation(len(boards)).astype(np.int32), rng.integers(0, 2**64, len(boards), np.uint64)
    catalog_order = np.lexsort((pins, times, times != UNTIMED, boards))
    boards, times, pins = boards[catalog_order], times[catalog_order], pins[catalog_order]
    block = BoardBlock(boards, pins, times, np.ones(len(boards), np.float32))
    assert sort_by_time(block, draws).tolist() == pins[np.lexsort((draws, times, boards))].tolist()


def test_a_long_run_of_one_time_is_in_the_order_of_its_draws():
    """Longer than what is sorted by insertion."""
    size = 5 * timeline.FEW
    pins, draws = np.arange(size, dtype=np.int32), np.random.default_rng(0).integers(0, 9, size, np.uint64)
    block = BoardBlock(np.zeros(size, np.int32), pins, np.full(size, UNTIMED), np.ones(size, np.float32))
    assert sort_by_time(block, draws).tolist() == np.argsort(draws, kind="stable").tolist()


@given(BOARDS, st.integers(1, 4), st.integers(0, 2**31))
@settings(max_examples=100, deadline=None)
def test_neighbors_are_what_a_double_loop_finds(sizes, max_gap, seed):
    """In the order of the later save, the nearest first; a held-out save is paired with the one before it alone."""
    boards = np.repeat(np.arange(len(sizes)), sizes).astype(np.int32)
    pins = np.random.default_rng(seed).permutation(len(boards)).astype(np.int32)
    splits = save_splits(boards, PairSettings())
    slow = [[], [], []]
    for later in range(len(boards)):
        for gap in range(1, (1 if splits[later] else max_gap) + 1):
            if later >= gap and boards[later - gap] == boards[later]:
                slow[splits[later]].append((pins[later - gap], pins[later]))
    held_out = [held_out_pairs(boards, pins, splits, split) for split in (VALIDATION, TEST)]
    found = [adjacent_pairs(boards, pins, splits, max_gap), *held_out]
    assert [list(zip(part.query, part.positive, strict=True)) for part in found] == slow


@given(st.lists(st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1)), max_size=9))
@settings(max_examples=50, deadline=None)
def test_saves_are_sorted_by_board_and_pin(saves):
    """Up to the largest numbers."""
    boards, pins = np.array(saves, np.int32).reshape(-1, 2).T.copy()
    assert list(zip(*sort_by_board_and_pin(boards, pins), strict=True)) == sorted(saves)
