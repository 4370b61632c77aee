"""The graph holds exactly the saves it was given, in one order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinsage.errors import DatasetError
from pinsage.graph.build import build_graph
from pinsage.graph.csr import NAMES


def columns(saves):
    pairs = np.array(saves, np.int32).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def rows(offsets, columns):
    return [columns[offsets[row] : offsets[row + 1]].tolist() for row in range(len(offsets) - 1)]


SAVES = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 5)), max_size=40)


@given(SAVES)
@settings(max_examples=100, deadline=None)
def test_rows_hold_the_saves_in_ascending_order(saves):
    """Every row of both sides equals what sorting the saves by hand gives; duplicates stay."""
    graph = build_graph(*columns(saves), num_pins=9, num_boards=6)
    by_pin = [sorted(board for pin, board in saves if pin == row) for row in range(9)]
    by_board = [sorted(pin for pin, board in saves if board == row) for row in range(6)]
    assert rows(graph.pin_offsets, graph.pin_boards) == by_pin
    assert rows(graph.board_offsets, graph.board_pins) == by_board


def test_the_order_of_the_saves_changes_no_byte():
    """A shuffled table builds the same four arrays."""
    rng = np.random.default_rng(3)
    pins, boards = rng.integers(0, 50, 400, dtype=np.int32), rng.integers(0, 20, 400, dtype=np.int32)
    order = rng.permutation(400)
    one = build_graph(pins, boards, num_pins=50, num_boards=20)
    two = build_graph(pins[order], boards[order], num_pins=50, num_boards=20)
    assert all(getattr(one, name).tobytes() == getattr(two, name).tobytes() for name in NAMES)


@pytest.mark.parametrize(
    ("saves", "word"),
    [
        ([(9, 0)], "pin 9, but pins run from 0 to 8"),
        ([(-1, 0)], "pin -1"),
        ([(0, 6)], "board 6, but boards run from 0 to 5"),
        ([(0, 2**31 - 1)], "board 2147483647"),
    ],
)
def test_a_save_of_something_that_does_not_exist_is_refused(saves, word):
    """Bounds are checked before compiled code, which would write outside its arrays."""
    with pytest.raises(DatasetError, match=word):
        build_graph(*columns(saves), num_pins=9, num_boards=6)


def test_columns_of_different_length_are_refused():
    """The sentence holds both lengths."""
    with pytest.raises(DatasetError, match="2 pins and 1 boards"):
        build_graph(np.zeros(2, np.int32), np.zeros(1, np.int32), num_pins=1, num_boards=1)
