"""The same data at the same point in time is the same catalog; anything else is another."""

import os
from datetime import timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_set_world import NOW, day, good_world, ingest, saves, write

from pinsage.errors import DatasetError
from pinsage.ingest.source.dataset import Dataset
from pinsage.ingest.source.fingerprint import dataset_identity, identity_at
from pinsage.ingest.source.point_in_time import micros, point_in_time
from pinsage.settings.loading import load_settings


def identity(folder, as_of=None, now=NOW) -> dict:
    return identity_at(load_settings(overrides={"data.dataset": str(folder), "data.as_of": as_of}), now)


def test_an_as_of_after_all_the_data_gives_the_same_identity_every_day(tmp_path):
    """A daily run over unchanged data finds yesterday's catalog."""
    folder = write(tmp_path / "data")
    newest = identity(folder, as_of=day(4))
    assert identity(folder, as_of=day(9)) == identity(folder, as_of=day(25)) == identity(folder) == newest
    assert identity(folder, now=NOW + timedelta(days=400)) == newest
    assert newest["as_of"] == day(4).isoformat()


def test_an_earlier_as_of_is_another_identity(tmp_path):
    """It sees fewer saves."""
    folder = write(tmp_path / "data")
    assert identity(folder, as_of=day(3)) != identity(folder)


def test_an_as_of_without_a_time_zone_is_utc(tmp_path):
    """As naive times in the tables are."""
    folder = write(tmp_path / "data")
    assert identity(folder, as_of=day(3).replace(tzinfo=None)) == identity(folder, as_of=day(3))


def test_a_save_of_the_future_does_not_move_the_clamp(tmp_path):
    """The newest time that counts is day 4; the row of the year 2099 is counted instead."""
    rows = pa.concat_tables([good_world()["saves"], saves([("x", "c", day(4).replace(year=2099))])])
    found = identity(write(tmp_path / "data", saves=rows))
    assert (found["as_of"], found["future_rows"]) == (day(4).isoformat(), 1)


def test_a_row_of_tomorrow_is_another_identity_tomorrow(tmp_path):
    """It is quarantined today and kept tomorrow."""
    rows = pa.concat_tables([good_world()["saves"], saves([("x", "c", day(16))])])
    folder = write(tmp_path / "data", saves=rows)
    today, tomorrow = identity(folder, as_of=day(3)), identity(folder, as_of=day(3), now=NOW + timedelta(days=1))
    assert (today["future_rows"], tomorrow["future_rows"]) == (1, 0)
    assert today["as_of"] == tomorrow["as_of"] == day(3).isoformat()


def test_engagements_count_for_the_newest_time(tmp_path):
    """They are dated too."""
    table = pa.table({"query_pin_id": ["a"], "engaged_pin_id": ["b"], "at": [day(7)]})
    assert identity(write(tmp_path / "data", engagements=table))["as_of"] == day(7).isoformat()


def test_without_any_time_as_of_has_no_effect(tmp_path):
    """Undated saves exist at every instant."""
    folder = write(tmp_path / "data", saves=good_world()["saves"].drop_columns(["saved_at"]))
    assert identity(folder, as_of=day(1)) == identity(folder)
    assert identity(folder)["as_of"] == ""


@pytest.mark.parametrize("table", ["pins", "boards", "saves"])
def test_a_changed_table_is_another_identity(tmp_path, table):
    """One row less."""
    before = identity(write(tmp_path / "data"))
    after = identity(write(tmp_path / "data", **{table: good_world()[table].slice(1)}))
    assert {name for name in before["tables"] if before["tables"][name] != after["tables"][name]} == {table}


def test_a_file_that_is_no_table_changes_nothing(tmp_path):
    """A README, or marks that other tools leave in a folder of Parquet files."""
    folder = write(tmp_path / "data", pins=None)
    (folder / "pins").mkdir()
    pq.write_table(good_world()["pins"], folder / "pins" / "part-0.parquet")
    before = identity(folder)
    (folder / "README.md").write_text("hello")
    (folder / "pins" / "_SUCCESS").write_text("")
    (folder / "pins" / "_metadata.parquet").write_text("no table")
    assert identity(folder) == before


def test_a_changed_picture_file_is_another_identity(tmp_path):
    """By size, or by time of change where the size is the same."""
    pins = pa.table({"pin_id": ["a", "b", "c"], "image_path": ["1.jpg", "missing.jpg", None]})
    folder = write(tmp_path / "data", pins=pins)
    (folder / "1.jpg").write_bytes(b"one")
    first = identity(folder)
    os.utime(folder / "1.jpg", ns=(1, 1))
    second = identity(folder)
    (folder / "missing.jpg").write_bytes(b"found")
    assert len({item["picture_files"] for item in (first, second, identity(folder))}) == 3


def test_the_stage_table_can_ask_for_it(tmp_path):
    """With the wall clock, settings and the home folder."""
    settings = load_settings(overrides={"data.dataset": str(write(tmp_path / "data"))})
    assert dataset_identity(settings, tmp_path) == identity(tmp_path / "data", now=NOW.replace(year=2030))
    with pytest.raises(DatasetError, match=r"data\.dataset is empty"):
        dataset_identity(load_settings(), tmp_path)


def test_the_newest_time_is_found_in_any_file_and_row_group(tmp_path):
    """Ten files of three row groups, against the plain maximum."""
    folder = write(tmp_path / "data", saves=None)
    (folder / "saves").mkdir()
    days = [(7 * number) % 11 + 1 for number in range(10)]
    for number, newest in enumerate(days):
        rows = saves([("x", "a", day(1)), ("x", "b", day(newest)), ("x", "c", None)])
        pq.write_table(rows, folder / "saves" / f"{number}.parquet", row_group_size=1)
    point = point_in_time(Dataset.open(str(folder)).tables(), None, now=NOW)
    assert point.as_of == micros(day(max(days)))


@pytest.mark.parametrize("options", [{}, {"write_statistics": False}], ids=["told", "not told"])
def test_the_point_in_time_is_the_same_with_and_without_statistics(tmp_path, options):
    """Row groups that end in the past, reach into the future, lie in it or have no time, against a look at all rows."""
    days = [day(1), day(9), day(3), day(20), day(25), day(26), None, None, day(15), day(2)]
    folder = write(tmp_path / "data", saves=None)
    pq.write_table(saves([("x", "a", when) for when in days]), folder / "saves.parquet", row_group_size=2, **options)
    point = point_in_time(Dataset.open(str(folder)).tables(), None, now=NOW)
    past = [micros(when) for when in days if when and when < day(16)]
    assert (point.as_of, point.num_future) == (max(past), 3)


def test_statistics_that_are_wrong_lose_no_row(tmp_path):
    """A footer that ends before its rows: the rows are read, the footer is not believed."""
    folder = write(tmp_path / "data")
    content = (folder / "saves.parquet").read_bytes()
    newest = micros(day(4)).to_bytes(8, "little")
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    spoiled = content[:footer] + content[footer:].replace(newest, micros(day(2)).to_bytes(8, "little"))
    assert spoiled != content
    (folder / "saves.parquet").write_bytes(spoiled)
    assert ingest(folder, tmp_path / "out").counts[-1].kept == 4
