"""Quarantined rows are written as they would be one by one, in bounded memory."""

import json
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_set_world import day, good_world, ingest, saves, write
from hypothesis import given, settings
from hypothesis import strategies as st

from pinsage.errors import DatasetError
from pinsage.ingest.engine import Engine
from pinsage.ingest.records import json_records

TEXTS = st.lists(st.none() | st.text(st.characters(exclude_categories=("Cs",))), max_size=20)


@given(TEXTS, st.data())
@settings(max_examples=60, deadline=None)
def test_records_are_the_json_of_each_row(texts, data):
    """Quotes, backslashes, control characters, other scripts included."""
    numbers = data.draw(st.lists(st.none() | st.integers(-9, 9), min_size=len(texts), max_size=len(texts)))
    found = json_records({"pin_id": pa.array(texts, pa.string()), "size": pa.array(numbers, pa.int64())})
    rows = zip(texts, numbers, strict=True)
    assert found.to_pylist() == [json.dumps({"pin_id": text, "size": size}) for text, size in rows]


def test_a_table_that_is_bad_throughout_is_refused(tmp_path):
    """Every save names an unknown board."""
    rows = saves([("nowhere", "a", day(1))] * 1000)
    with pytest.raises(DatasetError, match=r"1,000 of 1,000 rows .*'unknown board_id' \(1,000 rows, first in .*row 0"):
        ingest(write(tmp_path / "data", saves=rows), tmp_path / "out")


def test_repeated_saves_lie_among_the_other_bad_ones_in_order(tmp_path):
    """They are found last; the table of quarantined rows is in the order of the files all the same."""
    good = good_world()["saves"].to_pylist()
    rows = [tuple(row.values()) for row in good]
    table = saves([rows[0], rows[0], ("x", "nobody", None), rows[1], rows[1], (None, "a", None), rows[2], rows[2]])
    ingest(write(tmp_path / "data", saves=table), tmp_path / "out")
    found = pq.read_table(tmp_path / "out" / "quarantine.parquet")
    assert found.column("row").to_pylist() == [1, 2, 4, 5, 7]
    assert json.loads(found.column("record")[0].as_py()) == {
        "board_id": "x", "pin_id": "a", "saved_at": "2024-06-01T12:00:00+00:00",
    }  # fmt: skip


def test_a_row_is_named_by_its_file(tmp_path):
    """Files of 2, 0 and 3 rows: the bad rows of the first and the last."""
    folder = write(tmp_path / "data", saves=None)
    (folder / "saves").mkdir()
    rows = saves([("x", "a", None), ("x", "nobody", None), ("x", "b", None), ("x", "c", None), ("x", "nobody", None)])
    for number, (start, size) in enumerate(((0, 2), (0, 0), (2, 3))):
        pq.write_table(rows.slice(start, size), folder / "saves" / f"{number}.parquet")
    ingest(folder, tmp_path / "out")
    found = pq.read_table(tmp_path / "out" / "quarantine.parquet").to_pylist()
    assert [(row["source"], row["row"]) for row in found] == [("saves/0.parquet", 1), ("saves/2.parquet", 2)]


TIMES = [0, 1, -1, 10**15, 951_782_400_000_000, -62_135_596_800_000_000, -62_135_596_800_000_001, 2**62, -(2**63)]


def test_times_are_shown_in_iso_8601(tmp_path):
    """Whole seconds, microseconds, years of three digits, and times that no calendar knows."""
    with Engine(tmp_path / "spill", 0.1, max_id_length=128) as engine:
        found = [text for time in TIMES for (text,) in engine.rows("SELECT iso($time)", time=time)]
    assert found == [iso(time) for time in TIMES]


def iso(time: int) -> str:
    try:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time)).isoformat()
    except OverflowError:
        return f"{time} us"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("é" * 200, "é" * 200),
        ("é" * 1234, "é" * 200 + "… (1,234 characters)"),
        ("x" * 5000, "x" * 200 + "… (5,000 characters or more)"),
    ],
)
def test_a_long_text_is_shown_by_its_beginning(tmp_path, text, shown):
    """And its length."""
    with Engine(tmp_path / "spill", 0.1, max_id_length=128) as engine:
        assert engine.rows("SELECT shown($text)", text=text) == [(shown,)]
