"""Lists of different lengths."""

import numpy as np

from pinsage.evaluation.pin_lists import PinLists

LISTS = PinLists.of(np.array([0, 0, 2]), np.array([5, 3, 8], np.int32), 4)


def as_lists(lists):
    """The pins of each row."""
    return [lists.part(row, row + 1).pins.tolist() for row in range(len(lists))]


def test_rows_without_pins_have_empty_lists():
    """Rows 1 and 3 of four."""
    assert as_lists(LISTS) == [[5, 3], [], [8], []]
    assert LISTS.lengths.tolist() == [2, 0, 1, 0]
    assert LISTS.rows.tolist() == [0, 0, 2]


def test_a_part_and_a_choice_keep_the_lists():
    """Rows may come in any order, and twice."""
    assert as_lists(LISTS.part(1, 3)) == [[], [8]]
    assert as_lists(LISTS.take(np.array([2, 0, 3, 0]))) == [[8], [5, 3], [], [5, 3]]
    assert as_lists(LISTS.take(np.array([], np.int64))) == []
