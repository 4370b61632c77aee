"""Names in the tables of an evaluation; those who only read the tables need neither numba nor torch for them."""

from collections.abc import Sequence

PINSAGE = "pinsage"  # the method under test
ALL, NEW, BOARD = "all", "new", "board"  # the views of a split


def deciding_rank(ranks: Sequence[int]) -> int:
    """The rank of the hit rate that decides: 10, or the first one where 10 is not asked."""
    return 10 if 10 in ranks else min(ranks)
