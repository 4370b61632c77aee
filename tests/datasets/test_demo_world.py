"""The demo world: the same bytes from the same seed, readable by ingest, and hidden where it should be."""

from collections import Counter
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from data_set_world import reasons
from scipy import sparse

from pinsage.catalog.catalog import Catalog
from pinsage.datasets.demo.interests import drawn_interests
from pinsage.datasets.demo.recipe import Recipe
from pinsage.datasets.demo.tables import DAYS, END, GONE_PINS
from pinsage.datasets.demo.world import drawn_world, write_demo
from pinsage.errors import DatasetError
from pinsage.ingest.ingest import ingest_dataset
from pinsage.settings.schema import DataSettings

TABLES = ("pins", "boards", "saves", "engagements")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small world on disk."""
    folder = tmp_path_factory.mktemp("demo") / "world"
    write_demo(folder, num_pins=600, seed=3)
    return folder


@pytest.fixture(scope="module")
def tables(folder):
    """Its tables by name."""
    return {name: pq.read_table(folder / f"{name}.parquet") for name in TABLES}


@pytest.fixture(scope="module")
def large():
    """What is hidden in a world of 20,000 pins."""
    return drawn_world(20_000, None, Recipe(), np.random.default_rng(0))


def reach(world, hops, sample=200):
    """The mean share of all pins that pin-board-pin steps lead to from a pin."""
    boards, num_pins = world.boards, len(world.pins)
    saves = sparse.csr_matrix((np.ones(len(boards.pin), np.float32), (boards.pin, boards.board)))
    start = np.random.default_rng(0).choice(boards.pin.max(), sample, replace=False)
    reached = sparse.identity(saves.shape[0], format="csr", dtype=np.float32)[start]
    for _ in range(hops):
        reached = (((reached @ saves) > 0).astype(np.float32) @ saves.T > 0).astype(np.float32)
    return reached.nnz / sample / num_pins


def test_the_same_seed_gives_the_same_bytes(folder, tmp_path):
    """Pictures, words and times hang on nothing but the seed."""
    write_demo(tmp_path / "again", num_pins=600, seed=3)
    for name in TABLES:
        assert (folder / f"{name}.parquet").read_bytes() == (tmp_path / "again" / f"{name}.parquet").read_bytes()


def test_another_seed_gives_another_world(tables, tmp_path):
    """Every table differs."""
    write_demo(tmp_path / "other", num_pins=600, seed=4)
    for name in TABLES:
        assert not pq.read_table(tmp_path / "other" / f"{name}.parquet").equals(tables[name])


def test_ingest_takes_the_world_and_quarantines_the_few_bad_saves(folder, tables, tmp_path):
    """Three duplicates and two unknown pins; every other row is kept."""
    (tmp_path / "out").mkdir()
    ingest_dataset(DataSettings(dataset=str(folder), max_bad_share=0.01), tmp_path / "out", now=END)
    catalog = Catalog.open(tmp_path / "out")
    assert catalog.num_pins == 600
    assert catalog.num_saves == tables["saves"].num_rows - 5
    assert catalog.engagements().num_rows == tables["engagements"].num_rows
    found = Counter((table, reason.split(" ")[0]) for table, _, reason in reasons(tmp_path / "out"))
    assert found == {("saves", "duplicate"): 3, ("saves", "unknown"): 2}


def test_the_facts_count_the_rows(tmp_path):
    """Numbers for people are the numbers on disk."""
    facts = write_demo(tmp_path / "w", num_pins=250, num_boards=70, seed=1)
    rows = {name: pq.read_metadata(tmp_path / "w" / f"{name}.parquet").num_rows for name in TABLES}
    assert rows == {name: getattr(facts, name) for name in TABLES}
    assert (facts.pins, facts.boards) == (250, 70)
    assert 0 < facts.new_pins < 40


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    """Nobody's data is overwritten, and no draft stays behind."""
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "mine.txt").write_text("mine")
    with pytest.raises(DatasetError, match="already holds something"):
        write_demo(tmp_path / "w", num_pins=200)
    assert [path.name for path in tmp_path.rglob("*")] == ["w", "mine.txt"]


@pytest.mark.parametrize("sizes", [{"num_pins": 199}, {"num_pins": 1_000_001}, {"num_pins": 200, "num_boards": 0}])
def test_sizes_out_of_bounds_are_refused(tmp_path, sizes):
    """Before anything is drawn."""
    with pytest.raises(DatasetError, match="A demo world"):
        write_demo(tmp_path / "w", **sizes)


def test_times_lie_in_the_days_before_a_fixed_instant(tables):
    """So the bytes do not depend on today."""
    for column in (tables["saves"]["saved_at"], tables["engagements"]["at"]):
        assert END - timedelta(days=DAYS) <= pc.min(column).as_py() < END - timedelta(days=DAYS - 10)
        assert END - timedelta(days=10) < pc.max(column).as_py() <= END


def test_some_pins_lack_a_picture_or_words(tables):
    """A few of each, so that the pipeline's gaps are shown too."""
    pins = tables["pins"]
    assert 0 < pins["image"].null_count < 0.08 * len(pins)
    assert 0 < pins["title"].null_count < 0.05 * len(pins)
    bare = sum(not words for words in pins["annotations"].to_pylist())
    assert pins["title"].null_count < bare < 0.1 * len(pins)


def test_new_pins_have_engagements_and_no_saves_and_every_other_pin_has_a_save(large):
    """Cold start can be measured, and is not mixed up with chance."""
    saved = np.isin(np.arange(len(large.pins)), large.boards.pin)
    assert (saved == ~large.pins.is_new).all()
    engaged = np.isin(np.flatnonzero(large.pins.is_new), large.engagements.positive)
    assert 0.04 < large.pins.is_new.mean() < 0.06
    assert engaged.mean() > 0.8


def test_no_pin_is_on_a_board_twice(large):
    """The duplicates on disk are the ones put there on purpose."""
    pairs = large.boards.board * len(large.pins) + large.boards.pin
    assert len(np.unique(pairs)) == len(pairs)


def test_two_hops_reach_a_small_part_of_the_catalog(large):
    """Else a neighborhood would say nothing (measured: 0.5 % and 12 %)."""
    assert reach(large, 1) < 0.01
    assert reach(large, 2) < 0.15


def test_saves_per_pin_and_per_board_are_heavy_tailed(large):
    """Most pins have a few saves, some have many; the same for boards."""
    for rows in (large.boards.pin, large.boards.board):
        counts = np.bincount(rows)
        assert counts.max() > 6 * np.median(counts[counts > 0])
    assert 4 <= np.median(np.bincount(large.boards.pin)) <= 8


def test_content_narrows_an_interest_down_to_several(large):
    """A look, a theme, and even both together belong to at least four interests."""
    about = large.interests
    looks = [*zip(about.family.tolist(), about.silhouette.tolist(), about.palette.tolist(), strict=True)]
    themes = [*zip(about.family.tolist(), map(tuple, about.theme.tolist()), strict=True)]
    both = Counter(zip(looks, themes, strict=True))
    assert set(both.values()) == {4}
    assert np.mean([*Counter(looks).values()]) >= 8
    assert np.mean([*Counter(themes).values()]) >= 8


def test_boards_tell_the_interest(large):
    """Among the pins that share boards with a pin, its own interest is the most frequent one almost always."""
    boards, pins = large.boards, large.pins
    saves = sparse.csr_matrix((np.ones(len(boards.pin)), (boards.pin, boards.board)), shape=(len(pins), len(boards)))
    interests = sparse.csr_matrix((np.ones(len(pins)), (np.arange(len(pins)), pins.interest)))
    sample = np.random.default_rng(0).choice(np.flatnonzero(np.bincount(boards.pin, minlength=len(pins)) >= 3), 300)
    votes = ((saves[sample] @ saves.T) @ interests).toarray()
    assert (votes.argmax(axis=1) == pins.interest[sample]).mean() > 0.85


def test_engagements_follow_interest_and_style(large):
    """Nine of ten stay within the interest, and there they prefer what looks alike."""
    pins, pairs = large.pins, large.engagements
    same = pins.interest[pairs.query] == pins.interest[pairs.positive]
    assert 0.85 < same.mean() < 0.95
    gap = np.abs(pins.style[pairs.query] - pins.style[pairs.positive])
    assert np.median(gap[same]) < 0.5 * np.median(gap[~same])


def test_a_session_is_a_path(large):
    """What was engaged last is the next query, unless the person stayed on the same pin."""
    pairs = large.engagements
    joined = [
        pairs.positive[a] == pairs.query[b]
        for a, b in pairwise(range(500))
        if pairs.session[a] == pairs.session[b] and pairs.place[b] == pairs.place[a] + 1
    ]
    assert len(joined) > 100
    assert all(joined)


@pytest.mark.parametrize(
    ("num_pins", "least", "most"), [(200, 8, 8), (600, 20, 28), (2000, 70, 90), (20_000, 700, 900)]
)
def test_interests_grow_with_the_pins(num_pins, least, most):
    """About 25 pins each, at every size, so that a small world has the properties of a large one."""
    assert least <= len(drawn_interests(num_pins, Recipe(), np.random.default_rng(0))) <= most


def test_gone_pins_are_no_pins(tables):
    """Their saves are what the quarantine shows."""
    assert not set(GONE_PINS) & set(tables["pins"]["pin_id"].to_pylist())
    assert set(GONE_PINS) <= set(tables["saves"]["pin_id"].to_pylist())
