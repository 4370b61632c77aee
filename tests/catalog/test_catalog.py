"""The published catalog answers in rows, and turns rows into what people call a pin."""

import numpy as np
import pyarrow as pa
import pytest
from data_set_world import ingested, write
from hypothesis import given, settings
from hypothesis import strategies as st

from pinsage.catalog.catalog import Catalog
from pinsage.catalog.ids import PinIds, rows_among
from pinsage.errors import ArtifactMissingError, UnknownPinError


@pytest.fixture(scope="module")
def catalog(tmp_path_factory) -> Catalog:
    """Three pins: with a title, with annotations only, with nothing; the last one has a picture."""
    pins = pa.table(
        {
            "pin_id": ["a", "b", "c"],
            "title": ["Ant", "", None],
            "annotations": [["x"], ["red", "blue"], None],
            "image": [None, None, b"picture"],
        }
    )
    folder = tmp_path_factory.mktemp("catalog")
    return ingested(write(folder / "data", pins=pins), folder / "out")


def test_counts_are_those_of_the_tables(catalog):
    """Read from the footers alone."""
    assert (catalog.num_pins, catalog.num_boards, catalog.num_saves) == (3, 2, 4)


def test_a_pin_is_called_by_title_else_annotations_else_id(catalog):
    """In the order asked for, repetitions included."""
    assert catalog.titles(np.array([2, 1, 0, 2], np.int32)) == ["c", "red, blue", "Ant", "c"]


def test_only_pins_with_a_picture_have_one(catalog):
    """Others are left out, not empty."""
    assert catalog.pictures_of(np.array([0, 2], np.int32)) == {2: b"picture"}
    assert catalog.pictures_of(np.array([], np.int32)) == {}


def test_without_engagements_there_is_no_table_of_them(catalog):
    """None, so that a caller must think of it."""
    assert catalog.engagements() is None


def test_a_folder_that_is_no_catalog_is_refused(tmp_path):
    """The sentence names the file and the stage."""
    with pytest.raises(ArtifactMissingError, match=r"no pins\.parquet. Run the stage 'ingest'"):
        Catalog.open(tmp_path)


def test_pictures_are_found_across_row_groups(tmp_path, monkeypatch):
    """Every single pin and all of them, with a row group for every second picture."""
    monkeypatch.setattr("pinsage.ingest.pictures.pictures.ROW_GROUP_PICTURES", 2)
    ids = [f"{number:03d}" for number in range(50)]
    images = [b"%d" % number if number % 3 else None for number in range(50)]
    saves = pa.table({"board_id": ["x"], "pin_id": ["000"]})
    folder = write(tmp_path / "data", pins=pa.table({"pin_id": ids, "image": images}), saves=saves)
    catalog = ingested(folder, tmp_path / "out")
    expected = {number: image for number, image in enumerate(images) if image}
    assert catalog.pictures_of(np.arange(50, dtype=np.int32)) == expected
    for pin in range(50):
        assert catalog.pictures_of(np.array([pin], np.int32)) == ({pin: images[pin]} if images[pin] else {})


@given(st.sets(st.text(st.characters(exclude_categories=("Cs",)), min_size=1), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_ids_go_there_and_back(texts):
    """For any Unicode, in the order that Arrow sorts in."""
    ids = PinIds(pa.array(sorted(texts, key=str.encode)))
    rows = np.array([ids.row(text) for text in texts])
    assert ids.pin_ids(rows) == list(texts)


def test_an_unknown_id_is_answered_with_near_ones():
    """Misspelt in the middle of a large catalog: ids with the same beginning are looked at."""
    ids = PinIds(pa.array(sorted(f"pin-{number:06d}" for number in range(50_000))))
    with pytest.raises(UnknownPinError, match=r"'pin-01234x' \(50,000 pins are known\). Did you mean .*'pin-01234\d'"):
        ids.row("pin-01234x")


def test_a_small_catalog_is_searched_as_a_whole():
    """A wrong first letter."""
    ids = PinIds(pa.array(["a", "b", "c", "yellowstone"]))
    with pytest.raises(UnknownPinError, match="Did you mean 'yellowstone'"):
        ids.row("jellowstone")


@pytest.mark.parametrize("hostile", ["\x1b[2J\n", "x" * 1_000_000, "", "\udc80"])
def test_a_hostile_id_is_escaped_and_cut(hostile):
    """Whatever was asked for, the answer is short and printable."""
    with pytest.raises(UnknownPinError) as caught:
        PinIds(pa.array(["a", "b"])).row(hostile)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


def test_a_row_that_is_no_pin_is_refused(catalog):
    """The sentence says which rows are pins."""
    with pytest.raises(UnknownPinError, match="no pin 3; this catalog has pins 0 to 2"):
        catalog.pin_ids.pin_id(3)


def test_rows_of_another_catalog_are_found_by_id():
    """Ids that it lacks are -1; none at all are no rows."""
    rows = rows_among(pa.chunked_array([["b", "x"], ["a"]]), pa.chunked_array([["a"], ["b", "c"]]))
    assert (rows.dtype, rows.tolist()) == (np.int32, [1, -1, 0])
    assert rows_among(pa.array([], pa.string()), pa.array(["a"])).tolist() == []
