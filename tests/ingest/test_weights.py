"""A save may have a weight: it is published where the data set has one, and judged like everything else."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_set_world import day, good_world, ingest, ingested, reasons, saves, write


def weighted(rows: list[tuple], dtype: pa.DataType | None = None) -> pa.Table:
    """A table of saves from (board_id, pin_id, saved_at, weight)."""
    return saves([row[:3] for row in rows]).append_column(
        "weight", pa.array([row[3] for row in rows], dtype or pa.float64())
    )


def test_weights_are_published_beside_their_saves(tmp_path):
    """In the order of the saves, as float32; a null means 1."""
    rows = [("y", "c", day(1), 0.5), ("x", "b", day(2), None), ("x", "a", day(1), 4.5)]
    catalog = ingested(write(tmp_path / "data", saves=weighted(rows)), tmp_path / "out")
    assert catalog.saves().schema.field("weight").type == pa.float32()
    assert catalog.saves().select(["board", "pin", "weight"]).to_pydict() == {
        "board": [0, 0, 1],
        "pin": [0, 1, 2],
        "weight": [4.5, 1.0, 0.5],
    }


@pytest.mark.parametrize("dtype", [pa.int8(), pa.uint64(), pa.float16(), pa.float32()], ids=str)
def test_numbers_of_any_type_are_weights(tmp_path, dtype):
    """A rating is often an integer."""
    value = np.float16(5) if dtype == pa.float16() else 5
    folder = write(tmp_path / "data", saves=weighted([("x", "a", day(1), value)], dtype))
    assert ingested(folder, tmp_path / "out").saves().column("weight").to_pylist() == [5.0]


@pytest.mark.parametrize("weight", [0.0, -0.0, -1.0, float("nan"), float("inf"), -float("inf"), 1e39])
def test_a_weight_that_is_no_positive_number_is_quarantined(tmp_path, weight):
    """Nor one that a float32 cannot hold."""
    ingest(
        write(tmp_path / "data", saves=weighted([("x", "a", day(1), 1.0), ("x", "b", None, weight)])), tmp_path / "out"
    )
    assert reasons(tmp_path / "out") == [("saves", 1, "weight is not a positive number")]
    (row,) = pq.read_table(tmp_path / "out" / "quarantine.parquet").to_pylist()
    assert '"saved_at": null, "weight": ' in row["record"]


def test_without_a_weight_nothing_changes(tmp_path):
    """The column is only there if the data set has one, and weights of 1 change no other column."""
    plain = ingested(write(tmp_path / "plain"), tmp_path / "out")
    ones = good_world()["saves"].append_column("weight", pa.array([1.0] * 4))
    same = ingested(write(tmp_path / "ones", saves=ones), tmp_path / "same")
    assert "weight" not in plain.saves().column_names
    assert same.saves().drop_columns(["weight"]) == plain.saves()
    for name in ("pins", "boards", "quarantine"):
        assert (tmp_path / "out" / f"{name}.parquet").read_bytes() == (
            tmp_path / "same" / f"{name}.parquet"
        ).read_bytes()


def test_of_two_saves_at_the_same_time_the_heavier_is_kept(tmp_path):
    """Whichever comes first, so that the order of the rows cannot change the result; time goes before weight."""
    rows = [("x", "a", day(1), 2.0), ("x", "a", day(1), 3.0), ("x", "a", day(2), 9.0), ("x", "b", None, 9.0)]
    for name, ordered in (("there", rows), ("back", rows[::-1])):
        catalog = ingested(write(tmp_path / name, saves=weighted(ordered)), tmp_path / f"{name}-out")
        assert catalog.saves().column("weight").to_pylist() == [9.0, 3.0]


def test_a_file_without_weights_beside_one_with_them_means_one(tmp_path):
    """Exports of different days."""
    folder = write(tmp_path / "data", saves=None)
    (folder / "saves").mkdir()
    pq.write_table(saves([("x", "a", day(1))]), folder / "saves" / "1.parquet")
    pq.write_table(weighted([("x", "b", day(2), 3.0)]), folder / "saves" / "2.parquet")
    assert ingested(folder, tmp_path / "out").saves().column("weight").to_pylist() == [1.0, 3.0]
