"""The explorer's lists: their agreement, their order, and the pins that are asked for."""

import numpy as np
import pyarrow as pa
import pytest
from explorer_world import NUM_PINS, SWAPPED, catalog_in, champion_of, circle, explorer_of, model_of
from hypothesis import given
from hypothesis import strategies as st

from pinsage.index.build import IndexPlan, write_index
from pinsage.release.difference import DEPTH
from pinsage.report.explorer import lists as lists_module
from pinsage.report.explorer.agreement import common_pins, rank_biased_overlap
from pinsage.report.explorer.lists import Model, compare_lists, sample_pins

ranked = st.permutations(range(8)).map(lambda pins: pins[:5])


def test_rank_biased_overlap_is_that_of_the_paper():
    """By hand, p = 0.9: of (a b c) and (a c d) 1, 1 and 2 are common; (1-p)/p · (.9 + .5·.81 + 2/3·.729) + 2/3·.729."""
    ours, theirs = np.array([[0, 1, 2]]), np.array([[0, 2, 3]])
    assert common_pins(ours, theirs).tolist() == [[1, 1, 2]]
    assert rank_biased_overlap(ours, theirs)[0] == pytest.approx(1.791 / 9 + 0.486)


def test_equal_lists_agree_wholly_and_disjoint_ones_not_at_all():
    """The ends of the scale, for lists of different lengths, too."""
    ours = np.array([[0, 1, 2], [0, 1, 2], [5, -1, -1], [-1, -1, -1], [-1, -1, -1]])
    theirs = np.array([[0, 1, 2], [3, 4, 5], [5, 7, -1], [-1, -1, -1], [1, 2, 3]])
    assert rank_biased_overlap(ours, theirs).tolist() == pytest.approx([1, 0, 1, 1, 0])


def test_a_change_at_the_top_weighs_more():
    """Of two swaps of neighbors in rank."""
    plain, top, end = np.array([[0, 1, 2, 3]]), np.array([[1, 0, 2, 3]]), np.array([[0, 1, 3, 2]])
    assert rank_biased_overlap(plain, top)[0] < rank_biased_overlap(plain, end)[0] < 1


@given(ranked, ranked)
def test_rank_biased_overlap_is_that_of_a_slow_sum(ours, theirs):
    """Equation 32 as it is written."""
    shares = [len(set(ours[:d]) & set(theirs[:d])) / d for d in range(1, 6)]
    slow = shares[-1] * 0.9**5 + 0.1 / 0.9 * sum(share * 0.9**d for d, share in enumerate(shares, 1))
    assert rank_biased_overlap(np.array([ours]), np.array([theirs]))[0] == pytest.approx(slow)


def test_the_pins_that_changed_most_come_first(tmp_path):
    """The swapped pins have new lists altogether, those beside them lost one; a pin without champion is the last."""
    lists = explorer_of(tmp_path).lists
    assert set(lists.pins[:2].tolist()) == set(SWAPPED)
    assert lists.kept[:2].tolist() == [0, 0]
    assert (np.diff(lists.rbo[lists.is_compared]) >= 0).all()
    assert lists.pins[-1] == NUM_PINS - 1
    assert (lists.kept[-1], lists.rbo[-1]) == (-1, -1)
    assert (lists.theirs[-1] == -1).all()


def test_a_pin_that_only_the_champion_knows_keeps_its_name(tmp_path):
    """It stands in the champion's lists beside its neighbors, and its degree says that it is no pin of this catalog."""
    explorer = explorer_of(tmp_path)
    shown, row = explorer.shown, int(np.flatnonzero(explorer.lists.pins == NUM_PINS - 2)[0])
    place = shown.places(explorer.lists.theirs[row])
    names = [shown.pin_ids[i] for i in place]
    assert "removed" in names
    assert shown.titles[shown.pin_ids.index("removed")] == "Old removed"
    assert shown.degrees[shown.pin_ids.index("removed")] == -1
    assert "removed" not in [shown.pin_ids[i] for i in shown.places(explorer.lists.ours[row])]


def test_lists_are_those_of_a_slow_sort(tmp_path):
    """The ten highest scores without the pin itself."""
    model = model_of([f"p{i:03d}" for i in range(50)], circle(50))
    found, scores = model.related(np.array([7, 49], np.int32))
    for row, pin in enumerate((7, 49)):
        exact = model.embeddings @ model.embeddings[pin]
        order = [i for i in np.argsort(-exact, kind="stable") if i != pin][:DEPTH]
        assert found[row].tolist() == order
        assert scores[row] == pytest.approx(exact[order])


def test_a_large_catalog_is_asked_through_its_index(tmp_path, monkeypatch):
    """As its release would be; here the index misses nothing."""
    monkeypatch.setattr(lists_module, "EXACT_SCAN_PINS", 10)
    vectors, popularity = circle(50), np.linspace(0, 0.1, 50, dtype=np.float32)
    write_index(vectors, popularity, tmp_path, IndexPlan(5, 5000))
    model = Model(pa.array([f"p{i:03d}" for i in range(50)]), vectors, popularity, tmp_path)
    pins = np.arange(50, dtype=np.int32)
    indexed = model.related(pins)[0]
    monkeypatch.setattr(lists_module, "EXACT_SCAN_PINS", 100)
    assert (indexed == model.related(pins)[0]).all()


def test_a_list_is_short_where_there_are_few_pins():
    """Two others, then padding."""
    found, _ = model_of(["a", "b", "c"], circle(3)).related(np.array([0], np.int32))
    assert sorted(found[0, :2].tolist()) == [1, 2]
    assert found[0, 2:].tolist() == [-1] * (DEPTH - 2)


def test_without_common_pins_nothing_is_compared(tmp_path):
    """A release of other data."""
    catalog = catalog_in(tmp_path)
    stranger = model_of([f"x{i}" for i in range(20)], circle(20))
    lists = compare_lists(model_of(catalog.pin_ids.array, circle()), stranger, np.arange(30, dtype=np.int32))
    assert not lists.is_compared.any()
    assert champion_of(catalog).version


def test_a_sample_is_of_the_pins_and_not_of_their_rows():
    """The same pins although others came before them; all of them where they are few."""
    ids = [f"pin-{i}" for i in range(1000)]
    rows = sample_pins(pa.array(ids), 50)
    assert len(rows) == 50
    assert (np.diff(rows) > 0).all()
    later = [*(f"a-{i}" for i in range(7)), *ids]
    again = {later[row] for row in sample_pins(pa.array(later), 50)}
    assert len(again & {ids[row] for row in rows}) >= 49
    assert sample_pins(pa.array(ids[:5]), 50).tolist() == [0, 1, 2, 3, 4]
