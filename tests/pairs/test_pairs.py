"""Positive pairs on disk."""

import numpy as np

from pinsage.pairs.pairs import HeldOutPairs, Pairs


def listed(pairs: Pairs) -> list[tuple[int, int]]:
    return list(zip(pairs.query.tolist(), pairs.positive.tolist(), strict=True))


def test_pairs_are_read_as_they_were_written(tmp_path):
    """int32, in order; none at all is fine too."""
    for pairs in (Pairs(np.array([3, 1], np.int32), np.array([2, 3], np.int32)), Pairs(*np.zeros((2, 0), np.int32))):
        pairs.write(tmp_path / "pairs.parquet")
        again = Pairs.read(tmp_path / "pairs.parquet")
        assert listed(again) == listed(pairs)
        assert again.query.dtype == again.positive.dtype == np.int32


def test_held_out_pairs_keep_their_board(tmp_path):
    """And whoever wants the pairs alone reads them from the same file."""
    pairs = HeldOutPairs(*(np.array(column, np.int32) for column in ([3, 1], [2, 3], [7, -1])))
    pairs.write(tmp_path / "pairs.parquet")
    again = HeldOutPairs.read(tmp_path / "pairs.parquet")
    assert listed(again) == listed(Pairs.read(tmp_path / "pairs.parquet")) == [(3, 2), (1, 3)]
    assert (again.board.tolist(), again.board.dtype) == ([7, -1], np.int32)
