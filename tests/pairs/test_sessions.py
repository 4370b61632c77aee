"""Training saves in the order of time, cut into sessions."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from split_world import catalog_of, split_pairs, world

from pinsage.pairs import split
from pinsage.pairs.board_blocks import board_blocks
from pinsage.pairs.sessions import same_sessions, session_numbers
from pinsage.settings.schema import PairSettings


def slow_sessions(sizes, length) -> list[int]:
    """Slices of each board, the last joined to the one before it where it is a single save."""
    numbers, count = [], 0
    for size in sizes:
        runs = [min(length, size - begin) for begin in range(0, size, length)]
        if runs and runs[-1] == 1:
            lone = runs.pop()
            if not runs:
                numbers.append(-1)
                continue
            runs[-1] += lone
        for run in runs:
            numbers += [count] * run
            count += 1
    return numbers


@given(st.lists(st.integers(1, 12), max_size=6), st.integers(2, 5))
@settings(deadline=None)
def test_sessions_are_slices_of_boards(sizes, length):
    """Against slices of lists; no session has one save."""
    boards = np.repeat(np.arange(len(sizes)), sizes).astype(np.int32)
    numbers = session_numbers(boards, length)
    assert numbers.dtype == np.int32
    assert numbers.tolist() == slow_sessions(sizes, length)


def session_names(boards, sizes, length) -> list[tuple[str, int]]:
    """The board and the place on it of each session, by its number."""
    numbers = slow_sessions(sizes, length)
    owner = dict(zip(numbers, np.repeat(boards, sizes).tolist(), strict=True))
    owners = [owner[number] for number in range(max(numbers, default=-1) + 1)]
    return [(board, owners[:place].count(board)) for place, board in enumerate(owners)]


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 12)),
    st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 12)),
    st.integers(2, 5),
)
@settings(deadline=None)
def test_sessions_of_then_are_found_by_board_and_place(now, then, length):
    """Against lists of names; boards came, went, grew and shrank."""
    names, known = ((sorted(sizes), [sizes[name] for name in sorted(sizes)]) for sizes in (now, then))
    boards = np.array([known[0].index(name) if name in then else -1 for name in names[0]], np.int32)
    sizes = (np.array(counts, np.int64) for counts in (names[1], known[1]))
    found = same_sessions(boards, *sizes, length)
    wanted, there = session_names(*names, length), session_names(*known, length)
    assert found.tolist() == [there.index(name) if name in there else -1 for name in wanted]


def test_a_length_of_zero_makes_no_sessions(tmp_path):
    """And no file."""
    assert session_numbers(np.zeros(5, np.int32), 0).tolist() == [-1] * 5
    catalog = catalog_of(tmp_path, [(0, pin, pin) for pin in range(10)])
    assert split_pairs(catalog, PairSettings(session_length=0)).sessions == 0
    assert not (tmp_path / "split" / "sessions.parquet").exists()


def test_sessions_follow_time_and_leave_held_out_saves_out(tmp_path):
    """Seven training saves, the highest pins first: a session of three, and one of four that took in the seventh."""
    catalog = catalog_of(tmp_path, [(0, pin, 9 - pin) for pin in range(10)])
    assert split_pairs(catalog, PairSettings(session_length=3)).sessions == 2
    table = pq.read_table(tmp_path / "split" / "sessions.parquet")
    assert str(table.schema) == "session: int32\npin: int32"
    assert table.to_pydict() == {"session": [0, 0, 0, 1, 1, 1, 1], "pin": [7, 8, 9, 3, 4, 5, 6]}


@pytest.mark.parametrize("block", [1, 20])
def test_sessions_do_not_depend_on_blocks(tmp_path, monkeypatch, block):
    """A board a block, some boards a block, and all in one."""
    saves = world()
    split_pairs(catalog_of(tmp_path / "whole", saves, num_pins=60), PairSettings(session_length=4, order="time"))
    monkeypatch.setattr(split, "board_blocks", lambda catalog: board_blocks(catalog, at_least=block))
    split_pairs(catalog_of(tmp_path / "cut", saves, num_pins=60), PairSettings(session_length=4, order="time"))
    whole, cut = (tmp_path / name / "split" / "sessions.parquet" for name in ("whole", "cut"))
    assert whole.read_bytes() == cut.read_bytes()
    assert pq.read_metadata(whole).num_rows > 0


def test_where_saves_have_no_order_there_are_no_sessions(tmp_path):
    """Runs of an order drawn by hash would connect pins at random."""
    catalog = catalog_of(tmp_path, world(has_times=False), num_pins=60)
    figures = split_pairs(catalog, PairSettings())
    assert (figures.order, figures.sessions) == ("none", 0)
    assert not (tmp_path / "split" / "sessions.parquet").exists()


def test_engagements_make_no_sessions(tmp_path):
    """There all saves are training saves, and what pairs ask for is another table's."""
    engagements = [(pin, pin + 1) for pin in range(40)]
    catalog = catalog_of(tmp_path, world(), num_pins=60, engagements=engagements)
    assert split_pairs(catalog, PairSettings()).sessions == 0
    assert not (tmp_path / "split" / "sessions.parquet").exists()


def test_the_held_out_saves_change_no_byte_of_what_the_graph_may_know(tmp_path):
    """Boards of ten saves a day apart, whose last three pins trade places or make way for others."""
    rng, boards = np.random.default_rng(0), [np.random.default_rng(board).permutation(60)[:13] for board in range(20)]
    contents = []
    for name, change in (("as-is", lambda pins: pins), ("shuffled", rng.permutation), ("others", lambda pins: pins)):
        saves = []
        for board, pins in enumerate(boards):
            held_out = change(pins[10:] if name == "others" else pins[7:10])
            saves += [(board, int(pin), day) for day, pin in enumerate([*pins[:7], *held_out])]
        split_pairs(catalog_of(tmp_path / name, saves, num_pins=60), PairSettings(session_length=3))
        folder = tmp_path / name / "split"
        contents.append([(folder / f"{file}.parquet").read_bytes() for file in ("sessions", "saves", "train")])
    assert contents[0] == contents[1] == contents[2]
    assert pq.read_table(tmp_path / "others/split/test.parquet") != pq.read_table(tmp_path / "as-is/split/test.parquet")
