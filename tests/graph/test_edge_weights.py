"""Weights of saves by recency and by rating, on both sides of the graph."""

import numpy as np
import pytest
from catalog_world import catalog_of, graph_of
from hypothesis import given, settings
from hypothesis import strategies as st

from pinsage.errors import DatasetError, SettingsError
from pinsage.graph.weights import HEAVIEST, LIGHTEST, add_weights
from pinsage.settings.schema import GraphSettings


def rated_catalog(folder, saves):
    """A catalog of saves (board, pin, day or None, weight or None)."""
    return catalog_of(folder, [save[:3] for save in saves], weights={save[:2]: save[3] for save in saves})


def by_save(graph):
    """The weight of every (board, pin), once read from each side."""
    pins = np.repeat(np.arange(graph.num_pins), graph.pin_degrees)
    boards = np.repeat(np.arange(graph.num_boards), graph.board_degrees)
    from_pin = dict(zip(zip(graph.pin_boards, pins, strict=True), graph.pin_weights, strict=True))
    from_board = dict(zip(zip(boards, graph.board_pins, strict=True), graph.board_weights, strict=True))
    return from_pin, from_board


SAVES = [(0, 0, 0, 4.0), (0, 1, 20, None), (0, 2, None, 0.5), (1, 1, 10, 2.0), (1, 3, 30, 8.0)]


@pytest.mark.parametrize(
    ("edge_weights", "expected"),
    [
        ("recency", [0.25, 1.0, 0.25, 0.5]),
        ("rating", [4.0, 1.0, 0.5, 2.0]),
        ("both", [1.0, 1.0, 0.125, 1.0]),
    ],
)
def test_weights_are_those_computed_by_hand(tmp_path, edge_weights, expected):
    """Half-life ten days; the newest save of the graph is of day 20, since that of day 30 is held out."""
    catalog = rated_catalog(tmp_path, SAVES)
    known = [save[:2] for save in SAVES[:-1]]
    choices = GraphSettings(edge_weights=edge_weights, recency_half_life_days=10)
    graph, figures = add_weights(graph_of(catalog, known), catalog, choices)
    assert by_save(graph) == (dict(zip(known, expected, strict=True)),) * 2
    assert graph.pin_weights.dtype == graph.board_weights.dtype == np.float32
    assert (figures.lightest_save, figures.heaviest_save) == (min(expected), max(expected))
    assert figures.untimed_saves == (edge_weights != "rating")


@given(st.sets(st.tuples(st.integers(0, 4), st.integers(0, 9)), min_size=1, max_size=30), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_every_save_keeps_its_own_weight(tmp_path_factory, saves, seed):
    """Whatever was held out: both sides tell the weight that the catalog has for the save."""
    rng = np.random.default_rng(seed)
    rows = [(*save, int(rng.integers(3)), float(rng.integers(1, 100))) for save in sorted(saves)]
    catalog, known = rated_catalog(tmp_path_factory.mktemp("a"), rows), rng.random(len(rows)) < 0.7
    kept = {row[:2]: row[3] for row, is_known in zip(rows, known, strict=True) if is_known}
    graph, _ = add_weights(graph_of(catalog, kept), catalog, GraphSettings(edge_weights="rating"))
    assert by_save(graph) == (kept, kept)


def test_weights_stay_positive_and_finite(tmp_path):
    """A save of long ago with a tiny rating, and a huge rating: within the bounds, so that sums are finite too."""
    catalog = rated_catalog(tmp_path, [(0, 0, 0, 1e-30), (0, 1, 9000, 3e38), (0, 2, 9000, None)])
    choices = GraphSettings(edge_weights="both", recency_half_life_days=1)
    graph, _ = add_weights(graph_of(catalog, [(0, 0), (0, 1), (0, 2)]), catalog, choices)
    assert graph.board_weights.tolist() == [LIGHTEST, HEAVIEST, 1.0]
    assert np.isfinite(graph.board_weights.sum())
    graph.check_columns(tmp_path)


@pytest.mark.parametrize("edge_weights", ["rating", "both"])
def test_ratings_that_are_not_there_cannot_be_asked_for(tmp_path, edge_weights):
    """The sentence names the column and the way out."""
    catalog = catalog_of(tmp_path, [(0, 1, 1)])
    with pytest.raises(
        SettingsError, match=rf"'{edge_weights}', but the saves of the data set have no column 'weight'"
    ):
        add_weights(graph_of(catalog, [(0, 1)]), catalog, GraphSettings(edge_weights=edge_weights))


def test_times_that_are_not_there_cannot_be_asked_for(tmp_path):
    """Else all saves would weigh the same without a word."""
    catalog = catalog_of(tmp_path, [(0, 1, None), (0, 2, None), (0, 3, 4)])
    with pytest.raises(SettingsError, match="none of 2 training saves has a time"):
        add_weights(graph_of(catalog, [(0, 1), (0, 2)]), catalog, GraphSettings(edge_weights="recency"))


def test_a_graph_of_another_catalog_is_refused(tmp_path):
    """A save that the catalog lacks, and another number of boards."""
    catalog, choices = catalog_of(tmp_path, [(0, 1, 1), (1, 1, 1)]), GraphSettings(edge_weights="recency")
    with pytest.raises(DatasetError, match=r"has 2 saves, of which .* knows 1"):
        add_weights(graph_of(catalog, [(0, 1), (0, 2)]), catalog, choices)
    other = catalog_of(tmp_path / "other", [(2, 1, 1)])
    with pytest.raises(DatasetError, match=r"has 10 pins and 3 boards, .* 10 and 2\."):
        add_weights(graph_of(other, [(2, 1)]), catalog, choices)
