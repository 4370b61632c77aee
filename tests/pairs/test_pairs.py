"""Positive pairs on disk."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

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


def test_held_out_pairs_know_their_board(tmp_path):
    """A third column; -1 where the pair was an engagement."""
    columns = {name: pa.array(values, pa.int32()) for name, values in
               (("query", [1, 2]), ("positive", [3, 4]), ("board", [7, -1]))}  # fmt: skip
    pq.write_table(pa.table(columns), tmp_path / "test.parquet")
    pairs = HeldOutPairs.read(tmp_path / "test.parquet")
    assert (len(pairs), pairs.positive.tolist(), pairs.board.tolist()) == (2, [3, 4], [7, -1])
