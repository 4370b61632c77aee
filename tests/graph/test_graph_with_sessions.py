"""Sessions beside the boards of a graph."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pinsage.graph.build import build_graph
from pinsage.graph.sessions import WALKED, add_sessions, walk_graph_folder

P, B = 7, 4
SAVES = st.sets(st.tuples(st.integers(0, B - 1), st.integers(0, P - 1)), max_size=20)


def graph_of(saves, num_boards=B):
    """A graph of saves (board, pin)."""
    boards, pins = np.array(sorted(saves), np.int32).reshape(-1, 2).T
    return build_graph(pins, boards, num_pins=P, num_boards=num_boards)


@given(SAVES, SAVES)
@settings(deadline=None)
def test_the_walked_graph_is_the_one_of_all_saves(boards, sessions):
    """Session i as board B + i, on both sides, as if it had been built so."""
    joined = add_sessions(graph_of(boards), graph_of(sessions))
    expected = graph_of(boards | {(B + session, pin) for session, pin in sessions}, num_boards=2 * B)
    for name in ("pin_offsets", "pin_boards", "board_offsets", "board_pins"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(expected, name))
        assert getattr(joined, name).dtype == getattr(expected, name).dtype
    assert joined.pin_weights is joined.board_weights is None


def test_saves_of_sessions_weigh_one():
    """Beside the weights of the boards' saves, on both sides."""
    graph = replace(
        graph_of({(0, 0), (0, 1), (1, 0)}),
        pin_weights=np.array([0.25, 0.5, 2], np.float32),
        board_weights=np.array([0.25, 2, 0.5], np.float32),
    )
    joined = add_sessions(graph, graph_of({(0, 0), (0, 1)}))
    assert joined.pin_weights.tolist() == [0.25, 0.5, 1, 2, 1]
    assert joined.board_weights.tolist() == [0.25, 2, 0.5, 1, 1]


def test_without_sessions_the_graph_of_boards_is_walked(tmp_path):
    """With them, the one in the sub-folder."""
    assert walk_graph_folder(tmp_path) == tmp_path
    (tmp_path / WALKED).mkdir()
    assert walk_graph_folder(tmp_path) == tmp_path / WALKED
