"""Quarantined rows are written as they would be one by one, in bounded memory."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_set_world import day, good_world, ingest, saves, write
from hypothesis import given, settings
from hypothesis import strategies as st

from pinsage.catalog.quarantine import Quarantine, Rejects
from pinsage.catalog.read_ahead import ahead
from pinsage.catalog.records import iso, iso_times, json_records
from pinsage.errors import DatasetError


def shortened(value: str | int | None) -> str | int | None:
    is_long = isinstance(value, str) and len(value) > 200
    return f"{value[:200]}… ({len(value):,} characters)" if is_long else value


TEXTS = st.lists(st.none() | st.text(st.characters(exclude_categories=("Cs",))) | st.just("é" * 300), max_size=20)


@given(TEXTS, st.data())
@settings(max_examples=60, deadline=None)
def test_records_are_the_json_of_each_row(texts, data):
    """Quotes, backslashes, control characters, other scripts and long texts included."""
    numbers = data.draw(st.lists(st.none() | st.integers(-9, 9), min_size=len(texts), max_size=len(texts)))
    found = json_records({"pin_id": pa.array(texts, pa.string()), "size": pa.array(numbers, pa.int64())})
    rows = zip(texts, numbers, strict=True)
    assert found.to_pylist() == [json.dumps({"pin_id": shortened(text), "size": size}) for text, size in rows]


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-(10**15), 10**15) | st.just(10**15), max_size=20))
@settings(max_examples=60, deadline=None)
def test_times_of_a_column_are_those_of_each_row(times):
    """Whole seconds, microseconds, and times that no calendar knows."""
    values = np.array(times, np.int64)
    assert iso_times(values, np.ones(len(times), bool)).to_pylist() == [iso(time) for time in times]
    assert iso_times(values, np.zeros(len(times), bool)).to_pylist() == [None] * len(times)


def test_the_list_stops_to_grow_when_the_table_will_be_refused():
    """Counts go on, and the first row of every reason is there for the sentence."""
    rejects = Rejects(most=5)
    for start in range(0, 100, 10):
        names = pa.array(["null", "unknown"] if start else ["null"])
        codes = np.arange(10, dtype=np.int32) % len(names)
        rows, reasons = np.arange(start, start + 10), pa.DictionaryArray.from_arrays(codes, names)
        rejects.add(rows, reasons, lambda chosen: pa.array(["{}"] * len(chosen), pa.large_string()))
    assert rejects.counts == {"null": 55, "unknown": 45}
    assert rejects.table().select(["row", "reason"]).to_pylist() == [
        {"row": 0, "reason": "null"},
        {"row": 11, "reason": "unknown"},
    ]


def test_a_table_that_is_bad_throughout_is_refused_before_it_is_ordered(tmp_path, monkeypatch):
    """Every save names an unknown board: the sentence has all of them, the buckets are never looked at."""
    monkeypatch.setattr("pinsage.catalog.edge_order.EdgeBuckets.unique", None)
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


def test_pieces_made_ahead_come_in_their_order():
    """And none is lost."""
    assert list(ahead(iter(range(50)))) == list(range(50))
    assert list(ahead([])) == []


def test_what_making_a_piece_raises_is_raised_in_its_turn():
    """After the pieces before it."""

    def pieces():
        yield 1
        raise DatasetError("broken")

    coming = ahead(pieces())
    assert next(coming) == 1
    with pytest.raises(DatasetError, match="broken"):
        next(coming)


def test_a_share_is_one_of_the_rows_that_exist():
    """One in four of a thousand."""
    assert Quarantine(0.25).rejects("saves", 1000).most == 250
