"""The rows of query and neighbors, on a real catalog of four pins."""

import io
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pinsage.catalog.catalog import Catalog
from pinsage.ingest.ingest import ingest_dataset
from pinsage.pairs.pairs import Pairs
from pinsage.report.case_study import case_study
from pinsage.settings.schema import DataSettings, ReportSettings


@pytest.fixture(scope="module")
def catalog(tmp_path_factory) -> Catalog:
    """Pins a (a picture), b (words alone), c (a picture, no title), d (an id alone)."""
    data, out = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("catalog")
    buffer = io.BytesIO()
    Image.new("RGB", (30, 30), "teal").save(buffer, "PNG")
    pins = {
        "pin_id": ["a", "b", "c", "d"],
        "title": ["Ant", "Bee", None, None],
        "annotations": [None, None, ["sea", "cat"], None],
        "image": [buffer.getvalue(), None, buffer.getvalue(), None],
    }
    pq.write_table(pa.table(pins), data / "pins.parquet")
    pq.write_table(pa.table({"board_id": ["x"]}), data / "boards.parquet")
    pq.write_table(pa.table({"board_id": ["x"] * 4, "pin_id": pins["pin_id"]}), data / "saves.parquet")
    ingest_dataset(DataSettings(dataset=str(data)), out, now=datetime(2026, 1, 1, tzinfo=UTC))
    return Catalog.open(out)


def examples(*rows):
    """Rows of examples.parquet from (query, method, neighbors)."""
    return [
        {"query": query, "method": method, "rank": rank, "pin": pin, "score": 1 / rank}
        for query, method, pins in rows
        for rank, pin in enumerate(pins, 1)
    ]


ROWS = examples(
    (0, "visual", [2]), (0, "pixie", [1, 3]), (0, "combined", [1]), (0, "pinsage", [1, 2, 3]), (1, "pinsage", [0, 2, 3])
)
NO_PAIRS = Pairs(np.empty(0, np.int32), np.empty(0, np.int32))


def titles(strip):
    """The titles of some tiles."""
    return [tile.title for tile in strip]


def test_methods_stand_side_by_side_in_the_order_of_the_paper(catalog):
    """Annotation has no rows here and Combined is not shown; neighbors keep their order and are cut."""
    study = case_study(ROWS, catalog, NO_PAIRS, ReportSettings(num_queries=2, num_neighbors=2))
    assert study.methods == (("visual", "Visual"), ("pixie", "Pixie"), ("pinsage", "PinSage"))
    first, second = study.rows
    assert first.query.title == "Ant"
    assert [titles(strip) for strip in first.neighbors] == [["sea, cat"], ["Bee", "d"], ["Bee", "sea, cat"]]
    assert [titles(strip) for strip in second.neighbors] == [[], [], ["Ant", "sea, cat"]]


def test_pins_without_a_picture_are_tiles_of_words(catalog):
    """A thumbnail where there is a picture, the title where there is none."""
    study = case_study(ROWS, catalog, NO_PAIRS, ReportSettings(num_queries=1))
    bee, cat, d = study.rows[0].neighbors[-1]
    assert (bee.picture, d.picture) == (None, None)
    assert cat.picture.startswith("data:image/webp;base64,")
    assert study.num_pictures == 3  # the query, and pin c twice
    assert study.num_unreadable == 0


def test_held_out_positives_are_marked_for_their_own_query(catalog):
    """(Ant, Bee) was held out: Bee is marked among the neighbors of Ant alone."""
    held_out = Pairs(np.array([0], np.int32), np.array([1], np.int32))
    study = case_study(ROWS, catalog, held_out, ReportSettings(num_queries=2))
    marked = [tile.title for row in study.rows for strip in row.neighbors for tile in strip if tile.is_held_out]
    assert marked == ["Bee", "Bee"]  # by Pixie and by PinSage
    assert study.has_held_out


@pytest.mark.parametrize(("seed", "first"), [(0, "Ant"), (1, "Bee"), (2, "Ant")])
def test_another_seed_shows_the_next_queries(catalog, seed, first):
    """And begins again at the end."""
    study = case_study(ROWS, catalog, NO_PAIRS, ReportSettings(num_queries=1, seed=seed))
    assert [row.query.title for row in study.rows] == [first]


def test_no_examples_make_an_empty_study(catalog):
    """A data set without test pairs."""
    study = case_study([], catalog, NO_PAIRS, ReportSettings())
    assert (study.rows, study.methods, study.has_held_out) == ((), (), False)
