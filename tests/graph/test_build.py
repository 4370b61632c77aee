"""The graph holds exactly the saves it was given, in one order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinsage.errors import DatasetError
from pinsage.graph import build
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


@given(SAVES)
@settings(max_examples=50, deadline=None)
def test_ordered_saves_give_the_graph_that_shuffled_ones_give(saves):
    """Ascending by board and pin takes the short way, without a copy of the pins; the bytes are the same."""
    ordered = sorted(saves, key=lambda save: (save[1], save[0]))
    pins, boards = (column.copy() for column in columns(ordered))
    short, long = (
        build_graph(pins, boards, num_pins=9, num_boards=6),
        build_graph(*columns(saves), num_pins=9, num_boards=6),
    )
    assert short.board_pins is pins
    assert all(getattr(short, name).tobytes() == getattr(long, name).tobytes() for name in NAMES)


@pytest.mark.parametrize("size", [1, 3000])
def test_boards_of_one_pin_and_a_board_with_every_pin(size):
    """The two extremes side by side, and a pin on every board."""
    pins = np.concatenate([np.arange(size), np.zeros(size)]).astype(np.int32)
    boards = np.concatenate([np.zeros(size), 1 + np.arange(size)]).astype(np.int32)
    graph = build_graph(pins, boards, num_pins=size + 1, num_boards=size + 1)
    assert graph.board_pins[:size].tolist() == list(range(size))
    assert graph.pin_boards[: size + 1].tolist() == list(range(size + 1))
    assert graph.pin_degrees.tolist() == [size + 1, *[1] * (size - 1), 0]


def test_a_pin_on_a_million_boards():
    """And two pins that share its last board."""
    boards = np.append(np.arange(1_000_000), 999_999).astype(np.int32)
    pins = np.append(np.zeros(1_000_000), 1).astype(np.int32)
    graph = build_graph(pins, boards, num_pins=3, num_boards=1_000_000)
    assert np.array_equal(graph.pin_boards[:1_000_000], np.arange(1_000_000))
    assert graph.pin_degrees.tolist() == [1_000_000, 1, 0]
    assert graph.board_pins[-2:].tolist() == [0, 1]


def test_more_saves_than_a_graph_can_count_are_refused(monkeypatch):
    """With a planted limit; the true one is 2**32 - 1."""
    monkeypatch.setattr(build, "MOST_SAVES", 2)
    with pytest.raises(DatasetError, match=r"There are 3 saves, and a graph can count 2\."):
        build_graph(np.zeros(3, np.int32), np.zeros(3, np.int32), num_pins=1, num_boards=1)


def test_more_rows_than_an_int32_can_number_are_refused():
    """The limit itself is fine: nothing is allocated before the check."""
    none = np.zeros(0, np.int32)
    with pytest.raises(DatasetError, match=r"There are 2,147,483,648 boards, and row numbers end at 2,147,483,647\."):
        build_graph(none, none, num_pins=1, num_boards=2**31)


def test_numbers_past_an_int32_are_refused_before_they_are_narrowed():
    """2**32 would become pin 0."""
    with pytest.raises(DatasetError, match="pin 4294967296"):
        build_graph(np.array([2**32]), np.array([0]), num_pins=9, num_boards=6)
