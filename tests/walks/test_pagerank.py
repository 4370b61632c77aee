"""Hard negatives come from a band of ranks, never from the neighbors."""

import numpy as np
import pytest
from slow_walks import graph_of, random_graph, ranked, sampled

from pinsage.settings.schema import WalkSettings
from pinsage.walks.hops import HopTables
from pinsage.walks.neighborhood import top_neighbors
from pinsage.walks.pagerank import hard_negatives, pagerank_plan, rank_band

SETTINGS = WalkSettings(
    num_neighbors=5, num_walks=50, num_hard_negatives=6, hard_negative_walks=300, hard_negative_first_rank=100_000,
    hard_negative_last_rank=200_000, seed=2,
)  # fmt: skip


@pytest.mark.parametrize(
    ("num_pins", "band"),
    [(3_000_000, (2000, 5000)), (1_000_000, (2000, 5000)), (20_000, (40, 100)), (100, (1, 1)), (0, (1, 1))],
)
def test_the_band_shrinks_with_the_catalog(num_pins, band):
    """The paper's ranks from a million pins on, the same share of the catalog below."""
    assert rank_band(num_pins, WalkSettings()) == band


def slow_hard_negatives(graph, pin, neighbors, settings):
    plan, band = pagerank_plan(settings), rank_band(graph.num_pins, settings)
    taken = set(neighbors.tolist()) - {pin}
    others = ranked(graph, pin, taken, plan)
    low = min(max(band.first - 1 - len(taken), 0), len(others) // 2)
    high = min(len(others), max(band.last - len(taken), low + settings.num_hard_negatives))
    chosen = sampled(graph, others[low:high], pin, plan, settings.num_hard_negatives)
    return chosen + [-1] * (settings.num_hard_negatives - len(chosen))


@pytest.mark.parametrize("first_rank", [1, 100_000, 900_000])
def test_candidates_equal_those_of_the_slow_version(first_rank):
    """Every candidate of every tenth pin: a band at the front, in the middle, and past the last pin reached."""
    settings = SETTINGS.model_copy(update={"hard_negative_first_rank": first_rank})
    graph, pins = random_graph(100, 30, 350), np.arange(0, 100, 10, dtype=np.int32)
    neighbors = top_neighbors(HopTables.of(graph), pins, settings)[0].neighbors
    found = hard_negatives(HopTables.of(graph), pins, neighbors, settings)[0]
    slow = [slow_hard_negatives(graph, int(pin), row, settings) for pin, row in zip(pins, neighbors, strict=True)]
    assert found.tolist() == slow


def test_no_candidate_is_a_neighbor_or_the_query():
    """Over a whole graph; no candidate comes twice and padding comes last."""
    graph, everyone = random_graph(300, 60, 1500), np.arange(300, dtype=np.int32)
    neighbors = top_neighbors(HopTables.of(graph), everyone, SETTINGS)[0].neighbors
    found = hard_negatives(HopTables.of(graph), everyone, neighbors, SETTINGS)[0]
    assert (found >= 0).any(axis=1).sum() > 200
    for pin, row, candidates in zip(everyone, neighbors, found, strict=True):
        real = [candidate for candidate in candidates.tolist() if candidate >= 0]
        assert candidates.tolist() == real + [-1] * (len(candidates) - len(real))
        assert len(set(real)) == len(real)
        assert not set(real) & {*row.tolist(), pin}


def test_isolated_pins_and_tight_cliques_have_no_candidates():
    """Pins 0 to 3 are all neighbors of each other, pin 4 has no board."""
    graph = graph_of([(pin, 0) for pin in range(4)], num_pins=5, num_boards=1)
    everyone = np.arange(5, dtype=np.int32)
    found = hard_negatives(
        HopTables.of(graph), everyone, top_neighbors(HopTables.of(graph), everyone, SETTINGS)[0].neighbors, SETTINGS
    )[0]
    assert (found == -1).all()


def test_asking_for_no_candidates_gives_no_columns():
    """H = 0 walks nowhere."""
    graph, none = random_graph(20, 5, 50), SETTINGS.model_copy(update={"num_hard_negatives": 0})
    assert hard_negatives(HopTables.of(graph), np.arange(20, dtype=np.int32), np.empty((20, 0), np.int32), none)[
        0
    ].shape == (20, 0)


def test_any_split_of_the_pins_gives_the_same_candidates():
    """One by one equals all at once."""
    graph, everyone = random_graph(60, 20, 250), np.arange(60, dtype=np.int32)
    neighbors = top_neighbors(HopTables.of(graph), everyone, SETTINGS)[0].neighbors
    whole = hard_negatives(HopTables.of(graph), everyone, neighbors, SETTINGS)[0]
    parts = [hard_negatives(HopTables.of(graph), everyone[[pin]], neighbors[[pin]], SETTINGS)[0] for pin in everyone]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
