"""The pins of each board that has two."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pinsage.pairs.board_pins import BoardPins


def columns(*saves):
    return np.array(saves, np.int32).reshape(-1, 2).T.copy()


@pytest.mark.parametrize(
    ("saves", "boards"),
    [
        ([(0, 4), (0, 5), (2, 1), (3, 4), (3, 6), (3, 9), (7, 2)], [[4, 5], [4, 6, 9]]),
        ([(5, 1), (5, 2)], [[1, 2]]),
        ([(0, 1), (1, 1)], []),
        ([], []),
    ],
)
def test_a_board_with_one_save_is_left_out(tmp_path, saves, boards):
    """A lone pin has no partner. From arrays and from the file of the split alike, also in small row groups."""
    board, pin = columns(*saves)
    pq.write_table(pa.table({"board": board, "pin": pin}), tmp_path / "saves.parquet", row_group_size=2)
    for found in (BoardPins.of(board, pin), BoardPins.read(tmp_path / "saves.parquet")):
        ends = found.offsets[1:]
        assert [found.pins[begin:end].tolist() for begin, end in zip(found.offsets, ends, strict=False)] == boards
        assert (found.offsets.dtype, found.pins.dtype) == (np.int64, np.int32)
