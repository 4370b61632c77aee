"""Positive pairs are split before the graph exists, and nothing that is held out leaks back."""

from functools import partial

import numpy as np
import pyarrow as pa
import pytest
from split_world import START, catalog_of, split_pairs, world

from pinsage.catalog.catalog import Catalog
from pinsage.errors import DatasetError, SettingsError
from pinsage.pairs import split
from pinsage.pairs.board_blocks import board_blocks
from pinsage.pairs.draws import draw_by_hash, id_hashes
from pinsage.pairs.pairs import Pairs
from pinsage.pairs.timeline import save_splits
from pinsage.settings.schema import PairSettings
from pinsage.store.parquet_files import write_parquet


def listed(pairs: Pairs) -> list[tuple[int, int]]:
    return list(zip(pairs.query.tolist(), pairs.positive.tolist(), strict=True))


def unordered(pairs: Pairs) -> set[frozenset]:
    return {frozenset(pair) for pair in listed(pairs)}


def known_saves(split) -> set[tuple[int, int]]:
    return set(zip(split.saves.board.tolist(), split.saves.pin.tolist(), strict=True))


def test_the_last_saves_of_a_board_are_held_out(tmp_path):
    """Ten saves a day apart: seven train, one validation, two test; a pair belongs to its later save."""
    saves = [(0, pin, 9 - pin) for pin in range(10)]
    split = split_pairs(catalog_of(tmp_path, saves), PairSettings())
    assert listed(split.train) == [(9, 8), (8, 7), (7, 6), (6, 5), (5, 4), (4, 3)]
    assert listed(split.validation) == [(3, 2)]
    assert listed(split.test) == [(2, 1), (1, 0)]
    assert known_saves(split) == {(0, pin) for pin in range(3, 10)}
    assert split.cold_pins.tolist() == [0, 1, 2]
    assert (split.source, split.held_out_saves) == ("saves", 3)


def test_pairs_reach_as_far_as_max_gap(tmp_path):
    """Saves one and two apart, against the plain double loop."""
    saves = [(0, pin, pin) for pin in range(6)] + [(1, pin, pin) for pin in range(9, 3, -1)]
    choices = PairSettings(max_gap=2, validation_share=0.0, test_share=0.0)
    split = split_pairs(catalog_of(tmp_path, saves), choices)
    orders = [list(range(6)), list(range(4, 10))]
    slow = sorted((a, b) for order in orders for i, a in enumerate(order) for b in order[i + 1 : i + 3])
    assert sorted(listed(split.train)) == slow


@pytest.mark.parametrize("has_times", [True, False])
@pytest.mark.parametrize("max_gap", [1, 3])
def test_nothing_held_out_leaks_back(tmp_path, has_times, max_gap):
    """No held-out save is known to the graph, and each is the positive of one held-out pair of its board."""
    saves = world(has_times=has_times)
    split = split_pairs(catalog_of(tmp_path, saves, num_pins=60), PairSettings(max_gap=max_gap))
    everything, known = {(board, pin) for board, pin, _ in saves}, known_saves(split)
    assert known < everything
    assert split.held_out_saves == len(everything) - len(known)
    positives = [
        save
        for pairs in (split.validation, split.test)
        for save in zip(pairs.board.tolist(), pairs.positive.tolist(), strict=True)
    ]
    assert sorted(positives) == sorted(everything - known)


def test_max_gap_does_not_change_what_is_held_out(tmp_path):
    """It makes more training pairs, and nothing else."""
    saves = world()
    one, three = (
        split_pairs(catalog_of(tmp_path / str(gap), saves, num_pins=60), PairSettings(max_gap=gap)) for gap in (1, 3)
    )
    for name in ("validation", "test"):
        near, far = getattr(one, name), getattr(three, name)
        assert listed(near) == listed(far)
        assert near.board.tolist() == far.board.tolist()
    assert set(listed(one.train)) < set(listed(three.train))


def test_a_training_pair_lies_on_training_saves_of_one_board(tmp_path):
    """Both of its ends are known to the graph on the same board."""
    split = split_pairs(catalog_of(tmp_path, world(), num_pins=60), PairSettings())
    known = known_saves(split)
    for query, positive in listed(split.train):
        assert any((board, query) in known and (board, positive) in known for board in range(40))


def test_a_held_out_pair_that_training_knows_is_kept_and_counted(tmp_path):
    """Board 1 trains on (8, 9), which is the test pair of board 0, and in reverse that of board 2."""
    saves = [(0, 7, 0), (0, 8, 1), (0, 9, 2), (1, 8, 0), (1, 9, 1), (1, 1, 2), (2, 0, 0), (2, 9, 1), (2, 8, 2)]
    choices = PairSettings(validation_share=0.0)
    split = split_pairs(catalog_of(tmp_path, saves), choices)
    assert listed(split.train) == [(7, 8), (8, 9), (0, 9)]
    assert listed(split.test) == [(8, 9), (9, 1), (9, 8)]
    assert split.test.board.tolist() == [0, 1, 2]
    assert (split.known_validation_pairs, split.known_test_pairs) == (0, 2)


def test_saves_without_a_time_come_last_in_no_order_of_their_numbers(tmp_path):
    """The held-out saves of undated boards are spread over all numbers, and undated saves follow dated ones."""
    undated = [(board, 10 * board + place, None) for board in range(30) for place in range(10)]
    split = split_pairs(catalog_of(tmp_path / "a", undated, num_pins=300), PairSettings())
    held_out = {(board, pin) for board, pin, _ in undated} - known_saves(split)
    places = np.bincount([pin % 10 for _, pin in held_out], minlength=10)
    assert places.sum() == 90
    assert places.min() >= 2
    mixed = [(0, pin, pin if pin < 7 else None) for pin in range(10)]
    split = split_pairs(catalog_of(tmp_path / "b", mixed), PairSettings())
    assert known_saves(split) == {(0, pin) for pin in range(7)}


def test_the_seed_decides_the_order_of_undated_saves(tmp_path):
    """The same seed the same split, another seed another one."""
    catalog = catalog_of(tmp_path, world(has_times=False), num_pins=60)
    first, again, other = (split_pairs(catalog, PairSettings(seed=seed)) for seed in (1, 1, 2))
    assert listed(first.train) == listed(again.train)
    assert listed(first.train) != listed(other.train)


def test_training_saves_are_sorted_by_board_and_pin(tmp_path):
    """As the contract of saves.parquet says, whatever the order in time was."""
    split = split_pairs(catalog_of(tmp_path, world(), num_pins=60), PairSettings())
    rows = list(zip(split.saves.board.tolist(), split.saves.pin.tolist(), strict=True))
    assert rows == sorted(set(rows))


def slow_split(catalog, choices):
    """The same split by sorting lists and looking into sets: train, validation, test, training saves."""
    board_hashes, pin_hashes = id_hashes(catalog.boards().column(0)), id_hashes(catalog.pins(["pin_id"]).column(0))
    rows = catalog.saves().to_pylist()
    hashes = board_hashes[[row["board"] for row in rows]], pin_hashes[[row["pin"] for row in rows]]
    drawn = draw_by_hash(*hashes, choices.seed).tolist()
    times = [(row["saved_at"] is None, row["saved_at"] or START) for row in rows]
    order = sorted(range(len(rows)), key=lambda row: (rows[row]["board"], times[row], drawn[row]))
    boards, pins = ([rows[row][name] for row in order] for name in ("board", "pin"))
    splits, found = save_splits(np.array(boards, np.int32), choices).tolist(), [[], [], []]
    for later in range(len(order)):
        gap = choices.max_gap if splits[later] == 0 else 1
        for earlier in range(later - 1, max(-1, later - gap - 1), -1):
            if boards[earlier] == boards[later]:
                found[splits[later]].append((pins[earlier], pins[later]))
    known = {frozenset(pair) for pair in found[0]}
    counts = [sum(frozenset(pair) in known for pair in part) for part in found]
    differ = [times[order[row]] != times[order[row - 1]] and not times[order[row]][0] for row in range(1, len(order))]
    adjacent = [boards[row] == boards[row - 1] for row in range(1, len(order))]
    share = sum(a and b for a, b in zip(adjacent, differ, strict=True)) / sum(adjacent)
    saves = sorted(save for save, split in zip(zip(boards, pins, strict=True), splits, strict=True) if split == 0)
    return found, saves, counts[1:], share


@pytest.mark.parametrize("block", [1, 40, 10_000])
@pytest.mark.parametrize(("seed", "max_gap"), [(0, 1), (1, 3)])
def test_the_split_is_what_lists_and_sets_give(tmp_path, monkeypatch, block, seed, max_gap):
    """Row by row in the same order, however many boards are in a block; a third of the saves have no time."""
    saves = [(board, pin, day if (board + pin) % 3 else None) for board, pin, day in world(seed=seed)]
    monkeypatch.setattr(split, "board_blocks", partial(board_blocks, at_least=block))
    catalog, choices = catalog_of(tmp_path, saves, num_pins=60), PairSettings(max_gap=max_gap, seed=seed)
    fast = split_pairs(catalog, choices)
    pairs, saves, known, share = slow_split(catalog, choices)
    assert [listed(part) for part in (fast.train, fast.validation, fast.test)] == pairs
    assert list(zip(fast.saves.board.tolist(), fast.saves.pin.tolist(), strict=True)) == saves
    assert [fast.known_validation_pairs, fast.known_test_pairs] == known
    assert fast.share_in_time == pytest.approx(share, abs=1e-6)


def in_decks(num_times):
    """Ten boards of twelve saves that came at `num_times` times each."""
    return [(board, 12 * board + place, place % num_times) for board in range(10) for place in range(12)]


@pytest.mark.parametrize(("num_times", "share", "order"), [(12, 1, "time"), (7, 6 / 11, "time"), (6, 5 / 11, "none")])
def test_saves_are_in_order_where_most_adjacent_ones_differ_in_time(tmp_path, num_times, share, order):
    """At one instant each board is a bag of pins."""
    split = split_pairs(catalog_of(tmp_path, in_decks(num_times), num_pins=120), PairSettings())
    assert (split.order, split.share_in_time) == (order, pytest.approx(share, abs=1e-6))


def test_saves_without_times_have_no_order(tmp_path):
    """Nor have those of which most have none: a step from a time to no time is no order."""
    undated = [(board, pin, None) for board, pin, _ in in_decks(12)]
    assert split_pairs(catalog_of(tmp_path / "a", undated, num_pins=120), PairSettings()).share_in_time == 0
    some = [(board, pin, day if day < 6 else None) for board, pin, day in in_decks(12)]
    split = split_pairs(catalog_of(tmp_path / "b", some, num_pins=120), PairSettings())
    assert (split.order, split.share_in_time) == ("none", pytest.approx(5 / 11, abs=1e-6))


def test_the_order_can_be_set(tmp_path):
    """Then the data are not asked; the pairs on disk are the same in any case."""
    catalog = catalog_of(tmp_path, in_decks(12), num_pins=120)
    splits = [split_pairs(catalog, PairSettings(order=order)) for order in ("auto", "time", "none")]
    assert [split.order for split in splits] == ["time", "time", "none"]
    assert all(listed(split.train) == listed(splits[0].train) for split in splits)


def engaged(count=4000, num_pins=100, seed=0) -> list[tuple[int, int]]:
    rng = np.random.default_rng(seed)
    return [(int(a), int(b)) for a, b in rng.integers(num_pins, size=(count, 2))]


def test_engagements_are_split_by_unordered_pair(tmp_path):
    """Repeated and reversed pairs stay together; self-pairs are dropped and counted; shares are about as asked."""
    engagements = engaged()
    split = split_pairs(catalog_of(tmp_path, world(), num_pins=100, engagements=engagements), PairSettings())
    sets = [unordered(pairs) for pairs in (split.train, split.validation, split.test)]
    assert sum(map(len, sets)) == len(set.union(*sets))
    kept = sorted(listed(split.train) + listed(split.validation) + listed(split.test))
    assert kept == sorted((a, b) for a, b in engagements if a != b)
    assert split.self_pairs_dropped == sum(a == b for a, b in engagements) > 0
    assert len(split.validation) / len(kept) == pytest.approx(0.1, abs=0.02)
    assert len(split.test) / len(kept) == pytest.approx(0.2, abs=0.02)


def test_engagements_hold_out_no_saves(tmp_path):
    """A save is another event than an engagement: the graph may know all of them."""
    saves = world()
    split = split_pairs(catalog_of(tmp_path, saves, num_pins=100, engagements=engaged()), PairSettings())
    assert known_saves(split) == {(board, pin) for board, pin, _ in saves}
    assert (split.source, split.order, split.held_out_saves) == ("engagements", "time", 0)
    assert set(split.test.board.tolist()) == {-1}
    touched = {pin for _, pin, _ in saves}
    assert split.cold_pins.tolist() == [pin for pin in range(100) if pin not in touched]


def test_a_new_pin_moves_no_engagement_to_another_split(tmp_path):
    """The draw hangs on ids: with row numbers, one new first pin would reshuffle tomorrow's splits."""
    engagements = engaged(500)
    today = split_pairs(catalog_of(tmp_path / "a", world(), num_pins=100, engagements=engagements), PairSettings())
    catalog = catalog_of(tmp_path / "b", world(), num_pins=101, engagements=[(a + 1, b + 1) for a, b in engagements])
    ids = ["new", *catalog.pins(["pin_id"]).column(0).to_pylist()[:-1]]
    pins = catalog.pins().set_column(0, "pin_id", pa.array(ids))
    write_parquet(tmp_path / "b" / "pins.parquet", pins)
    tomorrow = split_pairs(Catalog.open(tmp_path / "b"), PairSettings())
    assert listed(tomorrow.test) == [(a + 1, b + 1) for a, b in listed(today.test)]


def test_the_source_can_be_chosen(tmp_path):
    """auto takes engagements where there are some; saves ignores them."""
    catalog = catalog_of(tmp_path, world(), num_pins=100, engagements=engaged())
    assert split_pairs(catalog, PairSettings(source="auto")).source == "engagements"
    assert split_pairs(catalog, PairSettings(source="saves")).source == "saves"


def test_engagements_that_are_not_there_cannot_be_asked_for(tmp_path):
    """The sentence names both ways out."""
    with pytest.raises(SettingsError, match=r"no table of them\. Add one, or set pairs\.source=saves"):
        split_pairs(catalog_of(tmp_path, world(), num_pins=60), PairSettings(source="engagements"))


def test_shares_that_leave_nothing_are_refused(tmp_path):
    """Each is below 1, their sum is not."""
    with pytest.raises(SettingsError, match=r"0\.5 \+ pairs\.test_share 0\.6 leave nothing"):
        split_pairs(catalog_of(tmp_path, world(), num_pins=60), PairSettings(validation_share=0.5, test_share=0.6))


@pytest.mark.parametrize(
    ("saves", "empty"),
    [
        ([(0, 1, 1), (1, 2, 1)], "No train and no validation and no test pairs"),
        ([(0, 1, 1), (0, 2, 2)], "No validation and no test pairs"),
        ([(0, 1, 1), (0, 2, 2), (0, 3, 3)], "No validation pairs"),
    ],
)
def test_an_empty_split_is_an_error_with_figures(tmp_path, saves, empty):
    """The error says the pairs of each split, the saves and boards, and the setting to change."""
    with pytest.raises(DatasetError, match=rf"{empty} are left.*saves on \d boards.*lower pairs\.min_board_saves"):
        split_pairs(catalog_of(tmp_path, saves), PairSettings())


def test_a_share_of_zero_asks_for_no_pairs(tmp_path):
    """Then an empty split is what was asked for."""
    saves = [(0, 1, 1), (0, 2, 2), (0, 3, 3)]
    split = split_pairs(catalog_of(tmp_path, saves), PairSettings(validation_share=0.0))
    assert (len(split.train), len(split.validation), len(split.test)) == (1, 0, 1)


def test_a_catalog_without_saves_is_an_error_with_figures(tmp_path):
    """Nothing to pair is what the data set lacks, not a crash of compiled code on empty arrays."""
    catalog = catalog_of(tmp_path, [(0, 1, 1)])
    path = catalog.folder / "saves.parquet"
    write_parquet(path, catalog.saves().slice(0, 0))
    with pytest.raises(DatasetError, match=r"No train and no validation and no test pairs.*0 saves on 1 boards"):
        split_pairs(Catalog.open(tmp_path), PairSettings())


def test_a_board_with_every_pin_and_boards_of_one_pin(tmp_path):
    """The large board is split in time; a single save makes no pair and stays in the graph."""
    saves = [(0, pin, pin) for pin in range(1000)] + [(1 + pin, pin, 0) for pin in range(1000)]
    split = split_pairs(catalog_of(tmp_path, saves, num_pins=1000), PairSettings())
    assert (len(split.train), len(split.validation), len(split.test)) == (699, 100, 200)
    assert split.held_out_saves == 300
    assert {(1 + pin, pin) for pin in range(1000)} < known_saves(split)
