"""Blocks hold whole boards, all saves once, and refuse saves that break the contract."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from split_world import catalog_of, world

from pinsage.errors import ArtifactDamagedError
from pinsage.pairs.board_blocks import UNTIMED, board_blocks, has_weights


@given(st.lists(st.integers(0, 9), min_size=1, max_size=8), st.integers(1, 7), st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_every_board_is_whole_in_one_block(tmp_path_factory, sizes, group_rows, at_least):
    """However the row groups cut the boards; no block but the last is small."""
    catalog = catalog_of(tmp_path_factory.mktemp("a"), [(8, 0, 0), *saves_of(sizes)])
    path = catalog.folder / "saves.parquet"
    table = pq.read_table(path)
    pq.write_table(table, path, row_group_size=group_rows)
    blocks = list(board_blocks(catalog, at_least=at_least))
    assert np.concatenate([block.board for block in blocks]).tolist() == table["board"].to_pylist()
    assert np.concatenate([block.pin for block in blocks]).tolist() == table["pin"].to_pylist()
    boards = [set(block.board.tolist()) for block in blocks]
    assert sum(map(len, boards)) == len(set.union(*boards))


def saves_of(sizes):
    return [(board, pin, pin) for board, size in enumerate(sizes[:8]) for pin in range(size)]


def test_times_are_microseconds_and_weights_default_to_one(tmp_path):
    """A save without a time is later than all others; a weight that is null is 1."""
    catalog = catalog_of(tmp_path, [(0, 1, None), (0, 2, 3)])
    (block,) = board_blocks(catalog, weights=True)
    assert block.saved_at.tolist() == [UNTIMED, 1_704_326_400_000_000]
    assert (block.weight.tolist(), has_weights(catalog)) == ([1.0, 1.0], False)
    path = catalog.folder / "saves.parquet"
    pq.write_table(pq.read_table(path).append_column("weight", pa.array([2.5, None], pa.float32())), path)
    (block,) = board_blocks(catalog, weights=True)
    assert (block.weight.tolist(), has_weights(catalog)) == ([2.5, 1.0], True)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((1, 0, 5), (0, 1, 5)),
        ((0, 0, 6), (0, 1, 5)),
        ((0, 0, 5), (0, 1, None)),
        ((0, 1, 5), (0, 0, 5)),
        ((0, 1, 5), (0, 1, 5)),
        ((0, 1, None), (0, 0, None)),
    ],
)
@pytest.mark.parametrize("at_least", [1, 99])
def test_saves_out_of_order_are_refused(tmp_path, first, second, at_least):
    """By board, then time with the unknown ones first, then pin; repeated ones too; within a block and between two."""
    catalog = catalog_of(tmp_path, world())
    path = catalog.folder / "saves.parquet"
    sound = pq.read_table(path)
    rows = [{"board": board, "pin": pin, "saved_at": day} for board, pin, day in (first, second)]
    pq.write_table(pa.Table.from_pylist(rows, schema=sound.schema), path, row_group_size=1)
    with pytest.raises(ArtifactDamagedError, match=rf"the save of pin {second[1]} to board {second[0]} out of"):
        list(board_blocks(catalog, at_least=at_least))


@pytest.mark.parametrize(("save", "word"), [((40, 0), "board 40"), ((0, 60), "pin 60"), ((0, -1), "pin -1")])
def test_a_save_of_something_that_is_not_in_the_catalog_is_refused(tmp_path, save, word):
    """Compiled code would read past the hashes of the ids."""
    catalog = catalog_of(tmp_path, world(), num_pins=60)
    path = catalog.folder / "saves.parquet"
    rows = [{"board": save[0], "pin": save[1], "saved_at": None}]
    pq.write_table(pa.Table.from_pylist(rows, schema=pq.read_schema(path)), path)
    with pytest.raises(ArtifactDamagedError, match=rf"{word} where (pin|board)s run from 0 to"):
        list(board_blocks(catalog))
