"""Every type that an owner may bring becomes the one form that the catalog works with."""

from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from data_set_world import ingested, saves, write

from pinsage.ingest.source.columns import canonical
from pinsage.ingest.source.contract import Kind

NOON = datetime(2024, 6, 1, 12, tzinfo=UTC)
NAIVE = NOON.replace(tzinfo=None)


def microseconds(values: pa.Array) -> list[int | None]:
    return canonical(values, Kind.TIME).to_pylist()


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Tokyo"])
def test_timestamps_of_any_unit_become_microseconds(unit, zone):
    """A time zone is a way to show an instant; without one it is UTC."""
    values = pa.array([int(NOON.timestamp()), None]).cast(pa.timestamp("s")).cast(pa.timestamp(unit))
    with_zone = pc.assume_timezone(values, "UTC").cast(pa.timestamp(unit, zone)) if zone else values
    assert microseconds(with_zone) == [int(NOON.timestamp()) * 1_000_000, None]


@pytest.mark.parametrize("dtype", [pa.date32(), pa.date64()])
def test_a_date_is_its_first_instant(dtype):
    """Midnight, UTC, also before 1970."""
    found = microseconds(pa.array([date(1970, 1, 2), date(1969, 12, 31), None], dtype))
    assert found == [86_400_000_000, -86_400_000_000, None]


def test_nanoseconds_before_1970_round_down():
    """So that order is kept."""
    assert microseconds(pa.array([-1, 1, 1999], pa.timestamp("ns"))) == [-1, 0, 1]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([7, 7, None, 10], pa.int8()),
        pa.array([7, 7, None, 10], pa.uint64()),
        pa.array(["7", "7", None, "10"], pa.string()),
        pa.array(["7", "7", None, "10"], pa.large_string()),
        pa.array(["7", "7", None, "10"], pa.string_view()),
        pa.array(["7", "7", None, "10"]).dictionary_encode(),
        pa.array([7, 7, None, 10]).dictionary_encode(),
        pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 3]), pa.array(["7", "7", None, "10"])),
    ],
    ids=lambda values: str(values.type),
)
def test_ids_of_any_type_become_the_same_strings(values):
    """Integers as decimal text, dictionaries with repeated or null values included."""
    assert canonical(values, Kind.ID).to_pylist() == ["7", "7", None, "10"]
    assert canonical(values.slice(1), Kind.ID).to_pylist() == ["7", None, "10"]


@pytest.mark.parametrize(
    "values",
    [
        pa.array(["red, blue ,,", None, " "]),
        pa.array(["red, blue ,,", None, " "], pa.large_string()),
        pa.array(["red, blue ,,", None, " "]).dictionary_encode(),
        pa.array([["red", " blue", None, ""], None, []]),
        pa.array([["red", "blue"], None, []], pa.large_list(pa.large_string())),
        pa.array([["x"], ["red", "blue"], [], None]).slice(1),
    ],
    ids=lambda values: str(values.type),
)
def test_annotations_become_lists_without_blanks(values):
    """A comma parts annotations in a string; blanks around them and empty ones are dropped."""
    assert canonical(values, Kind.ANNOTATIONS).to_pylist() == [["red", "blue"], [], []]


@pytest.mark.parametrize("dtype", [pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(2)], ids=str)
def test_pictures_of_any_binary_type_are_read(dtype):
    """Fixed size as well."""
    assert canonical(pa.array([b"ab", None], dtype), Kind.PICTURE).to_pylist() == [b"ab", None]


def test_columns_of_nulls_are_columns_without_values():
    """What a writer makes of a column that is empty throughout."""
    for kind in (Kind.ID, Kind.TEXT, Kind.TIME, Kind.WEIGHT, Kind.PICTURE):
        assert canonical(pa.nulls(2), kind).null_count == 2


def test_integer_ids_meet_string_ids_across_tables(tmp_path):
    """A pins table with integers and a saves table with strings speak of the same pins."""
    pins = pa.table({"pin_id": [10, 9, 100]})
    catalog = ingested(write(tmp_path / "data", pins=pins, saves=saves([("x", "9", NOON)])), tmp_path / "out")
    assert [catalog.pin_ids.pin_id(row) for row in range(3)] == ["10", "100", "9"]
    assert catalog.saves().column("pin").to_pylist() == [2]


def test_files_of_a_table_may_differ_in_type_and_in_optional_columns(tmp_path):
    """Exports of different days."""
    import pyarrow.parquet as pq

    folder = write(tmp_path / "data", pins=None)
    (folder / "pins").mkdir()
    pq.write_table(pa.table({"pin_id": ["a", "7"], "title": ["Ant", "Seven"]}), folder / "pins" / "1.parquet")
    pq.write_table(pa.table({"pin_id": [8], "annotations": ["x,y"]}), folder / "pins" / "2.parquet")
    pq.write_table(pa.table({"pin_id": ["b", "c"], "image": [b"1", None]}), folder / "pins" / "3.parquet")
    pins = ingested(folder, tmp_path / "out").pins().select(["pin_id", "title", "annotations"])
    assert pins.to_pydict() == {
        "pin_id": ["7", "8", "a", "b", "c"],
        "title": ["Seven", None, "Ant", None, None],
        "annotations": [[], ["x", "y"], [], [], []],
    }
