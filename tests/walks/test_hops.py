"""Hop tables lead where the graph leads, and a graph that would lead astray is refused before anyone walks."""

from dataclasses import replace

import numpy as np
import pytest
from slow_walks import graph_of, random_graph, with_weights

from pinsage.errors import ArtifactDamagedError, DatasetError
from pinsage.walks import hops as tables
from pinsage.walks.expected import PushPlan, top_expected
from pinsage.walks.hops import HopTables
from pinsage.walks.random_walk import WalkPlan, top_visited

LOW = np.uint64(0xFFFFFFFF)


def test_every_save_leads_to_the_row_of_its_other_end():
    """Offset and degree of the board's row by pin, of the pin's row by board."""
    graph = random_graph(80, 25, 300)
    hops = HopTables.of(graph)
    boards, pins = graph.pin_boards, graph.board_pins
    assert (hops.pin_hops >> np.uint64(32)).tolist() == graph.board_offsets[boards].tolist()
    assert (hops.pin_hops & LOW).tolist() == graph.board_degrees[boards].tolist()
    assert (hops.board_hops >> np.uint64(32)).tolist() == graph.pin_offsets[pins].tolist()
    assert (hops.board_hops & LOW).tolist() == graph.pin_degrees[pins].tolist()
    assert hops.board_pins.tolist() == pins.tolist()


def test_shares_of_a_row_sum_to_one():
    """By pin, by board, and each save's share of its board as seen from the pin."""
    graph = random_graph(60, 20, 250)
    weights = np.random.default_rng(0).uniform(0.1, 10, graph.num_saves)
    shares = HopTables.of(with_weights(graph, weights)).shares
    by_pin = np.add.reduceat(shares.pin_shares, graph.pin_offsets[:-1][graph.pin_degrees > 0])
    np.testing.assert_allclose(by_pin, 1, rtol=1e-6)
    by_board = np.bincount(graph.pin_boards, shares.back_shares, minlength=20)[graph.board_degrees > 0]
    np.testing.assert_allclose(by_board, 1, rtol=1e-6)


def test_an_alias_table_gives_each_save_its_share():
    """What all places of a row give together, by thresholds and aliases, is the row's shares."""
    graph = graph_of([(0, board) for board in range(7)], 1, 7)
    weights = np.array([1, 2, 3, 4, 5, 6, 70], float)
    aliases = HopTables.of(with_weights(graph, weights)).shares.pin_aliases
    keeps = (aliases >> np.uint64(32)) / 2**32
    given = np.bincount((aliases & LOW).astype(int), 1 - keeps, minlength=7) + keeps
    np.testing.assert_allclose(given / 7, weights / weights.sum(), atol=1e-6)


@pytest.mark.parametrize(("name", "value"), [("pin_boards", 25), ("pin_boards", -1), ("board_pins", 80)])
def test_a_save_that_leads_nowhere_is_refused(name, value):
    """Compiled walks would read past their arrays; the sentence names the file and the value."""
    graph = random_graph(80, 25, 300)
    column = getattr(graph, name).copy()
    column[17] = value
    with pytest.raises(ArtifactDamagedError, match=rf"{name}\.npy holds the \w+ {value} where"):
        HopTables.of(replace(graph, **{name: column}))


def test_more_saves_than_an_offset_can_count_are_refused(monkeypatch):
    """The limit is planted: four billion saves are not made here."""
    monkeypatch.setattr(tables, "MOST_SAVES", 3)
    with pytest.raises(DatasetError, match="4 saves; walks can count 3"):
        HopTables.of(graph_of([(pin, 0) for pin in range(4)], 4, 1))


def test_a_pin_on_a_million_boards_is_a_pin_like_any_other():
    """And so is a board with every pin; walks and expected visits agree that pin 1 is nearest to the hub."""
    boards = np.arange(1_000_000)
    hub = np.stack([np.zeros_like(boards), boards], axis=1)
    friend = np.stack([np.ones(600_000, int), boards[:600_000]], axis=1)
    everyone = np.stack([np.arange(1, 2000), np.full(1999, 999_999)], axis=1)
    hops = HopTables.of(graph_of(np.concatenate([hub, friend, everyone[1:]]), 2000, 1_000_000))
    start = np.zeros(1, np.int32)
    assert top_visited(hops, start, WalkPlan(200, 2, 0.5, 0), top=3)[0][0, 0] == 1
    assert top_expected(hops, start, PushPlan(2, 0.5, 1024, 0), top=3)[0][0, 0] == 1


def test_a_graph_without_saves_has_tables_too():
    """All pins are isolated."""
    hops = HopTables.of(graph_of([], 3, 0))
    assert (hops.num_pins, len(hops.board_pins)) == (3, 0)
    assert (top_expected(hops, np.arange(3, dtype=np.int32), PushPlan(2, 0.5, 64, 0), top=2)[0] == -1).all()
