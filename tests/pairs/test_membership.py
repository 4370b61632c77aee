"""The table of held-out pairs knows which of them training has, in either direction."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pinsage.pairs.membership import PairTable
from pinsage.pairs.pairs import Pairs

PIN = st.one_of(st.integers(0, 5), st.integers(2**31 - 4, 2**31 - 1))
PAIRS = st.lists(st.tuples(PIN, PIN), max_size=30)


def pairs_of(rows) -> Pairs:
    return Pairs(*np.array(rows, np.int32).reshape(-1, 2).T.copy())


@given(PAIRS, PAIRS, PAIRS)
@settings(max_examples=150, deadline=None)
def test_a_marked_pair_is_one_that_was_added_and_marked(added, marked, asked):
    """Against sets of sets; marking what was not added changes nothing."""
    table = PairTable(len(added))
    table.add(pairs_of(added))
    table.mark(pairs_of(marked))
    known = {frozenset(pair) for pair in added} & {frozenset(pair) for pair in marked}
    assert table.are_marked(pairs_of(asked)).tolist() == [frozenset(pair) in known for pair in asked]


def test_a_full_table_finds_its_pairs():
    """As many pairs as there is room for, all different, and none that was not added."""
    numbers = np.arange(100_000, dtype=np.int32)
    table, there, elsewhere = PairTable(100_000), Pairs(numbers, numbers + 1), Pairs(numbers, numbers + 2)
    table.add(there)
    table.mark(there)
    assert table.are_marked(Pairs(there.positive, there.query)).all()
    assert not table.are_marked(elsewhere).any()
