"""The figures of a graph, against counting by hand."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pinsage.graph.build import build_graph
from pinsage.graph.figures import graph_figures


@given(st.sets(st.tuples(st.integers(0, 7), st.integers(0, 5)), max_size=25))
@settings(max_examples=60, deadline=None)
def test_a_connected_pin_is_one_that_a_walk_can_leave(saves):
    """Against sets: a pin is connected if some board of its holds another pin."""
    pins, boards = np.array(sorted(saves), np.int32).reshape(-1, 2).T.copy()
    figures = graph_figures(build_graph(pins, boards, num_pins=8, num_boards=6))
    on_board = {board: {pin for pin, other in saves if other == board} for board in range(6)}
    connected = {pin for pin, board in saves if len(on_board[board]) >= 2}
    assert figures["connected_pins_share"] == round(len(connected) / 8, 4)
    assert figures["isolated_pins"] == 8 - len({pin for pin, _ in saves})
    assert figures["max_pins_per_board"] == max(map(len, on_board.values()))


def test_a_graph_of_nothing_has_figures():
    """No pin, no board, no save: zeros instead of an error."""
    none = np.zeros(0, np.int32)
    assert set(graph_figures(build_graph(none, none, num_pins=0, num_boards=0)).values()) == {0}
