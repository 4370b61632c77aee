"""What is wrong with a data set is told in one sentence; what is wrong with a row puts the row into quarantine."""

import logging
import os
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_set_world import NOW, day, good_world, ingest, reasons, saves, write

from pinsage.errors import DatasetError, PinSageError
from pinsage.ingest.source.dataset import Dataset
from pinsage.ingest.source.fingerprint import identity_at
from pinsage.ingest.source.table import clear_errors
from pinsage.settings.loading import load_settings


def refusal(folder, out, **settings) -> str:
    with pytest.raises(DatasetError) as caught:
        ingest(folder, out, **settings)
    return str(caught.value)


def test_no_data_set_is_named(tmp_path):
    """The default setting is empty, so this is the first thing a new user meets."""
    assert "data.dataset is empty. Set it to the folder or URL" in refusal("", tmp_path)


@pytest.mark.parametrize("url", ["/no/such/folder", "nosuchprotocol://bucket/x", "memory://nothing-here"])
def test_a_missing_data_set_is_named(tmp_path, url):
    """Local folder, unknown file system, or an empty place on a known one."""
    assert url in refusal(url, tmp_path)


@pytest.mark.parametrize("name", ["pins", "boards", "saves"])
def test_a_missing_table_is_named(tmp_path, name):
    """Three tables are required."""
    message = refusal(write(tmp_path / "data", **{name: None}), tmp_path / "out")
    assert f"has no table '{name}'. Add {name}.parquet or {name}/*.parquet." in message


def test_the_identity_tells_a_missing_table_too(tmp_path):
    """It is asked for before the stage runs."""
    folder = write(tmp_path / "data", saves=None)
    with pytest.raises(DatasetError, match="no table 'saves'"):
        identity_at(load_settings(overrides={"data.dataset": str(folder)}), NOW)


@pytest.mark.parametrize(("table", "column"), [("pins", "pin_id"), ("boards", "board_id"), ("saves", "pin_id")])
def test_a_missing_column_is_named_with_those_that_are_there(tmp_path, table, column):
    """The sentence shows what the table has, so that a misspelling is seen."""
    renamed = good_world()[table].rename_columns({column: "ID"})
    message = refusal(write(tmp_path / "data", **{table: renamed}), tmp_path / "out")
    assert f"{table}.parquet has no column '{column}'" in message
    assert "'ID'" in message


WRONG = {
    "pins.pin_id is double": ("pins", "pin_id", pa.array([1.5, 2, 3]), "not string or integer"),
    "pins.pin_id is bool": ("pins", "pin_id", pa.array([True, False, None]), "not string or integer"),
    "pins.pin_id is binary": ("pins", "pin_id", pa.array([b"a", b"b", b"c"]), "not string or integer"),
    "pins.title is int64": ("pins", "title", pa.array([1, 2, 3]), "not string"),
    "pins.annotations is list<int>": ("pins", "annotations", pa.array([[1], [2], []]), "not list of strings"),
    "pins.image is string": ("pins", "image", pa.array(["a", "b", "c"]), "not binary"),
    "pins.image is a struct": ("pins", "image", pa.array([{"bytes": b""}] * 3), "not binary"),
    "saves.saved_at is string": ("saves", "saved_at", pa.array(["2024-01-01"] * 4), "not timestamp or date"),
    "saves.saved_at is int64": ("saves", "saved_at", pa.array([1, 2, 3, 4]), "not timestamp or date"),
    "saves.weight is string": ("saves", "weight", pa.array(["1"] * 4), "not float or integer"),
    "saves.weight is bool": ("saves", "weight", pa.array([True] * 4), "not float or integer"),
    "saves.saved_at is time64": ("saves", "saved_at", pa.array([1, 2, 3, 4], pa.time64("us")), "not timestamp or date"),
    "pins.pin_id is a uuid": (
        "pins",
        "pin_id",
        pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"a" * 16, b"b" * 16, b"c" * 16], pa.binary(16))),
        "the extension type extension<arrow.uuid>",
    ),
}


@pytest.mark.parametrize(("table", "column", "values", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_type_is_named_with_the_types_that_are_accepted(tmp_path, table, column, values, words):
    """No guessing: a float that was an integer once, or a string that looks like a date, is refused."""
    found = good_world()[table]
    found = found.drop_columns([column]) if column in found.column_names else found
    message = refusal(write(tmp_path / "data", **{table: found.append_column(column, values)}), tmp_path / "out")
    assert f"{table}.parquet: column '{column}' is" in message
    assert words in message


def test_an_unregistered_extension_type_is_refused(tmp_path):
    """It arrives as its storage with a name in the field's metadata."""
    field = pa.field("pin_id", pa.string(), metadata={"ARROW:extension:name": "evil.type"})
    pins = pa.table([pa.array(["a", "b", "c"])], schema=pa.schema([field]))
    assert "extension type" in refusal(write(tmp_path / "data", pins=pins), tmp_path / "out")


def test_an_empty_table_is_named(tmp_path):
    """A table with columns and no rows is an export that failed."""
    empty = good_world()["saves"].slice(0, 0)
    assert "'saves' has no rows" in refusal(write(tmp_path / "data", saves=empty), tmp_path / "out")


def test_an_ambiguous_table_is_refused(tmp_path):
    """pins.parquet beside pins/: one of them is old."""
    folder = write(tmp_path / "data")
    (folder / "pins").mkdir()
    pq.write_table(good_world()["pins"], folder / "pins" / "part.parquet")
    assert "holds both pins.parquet and pins/" in refusal(folder, tmp_path / "out")


def test_a_column_that_is_there_twice_is_refused(tmp_path):
    """Which one was meant cannot be known."""
    pins = pa.table([pa.array(["a"]), pa.array(["b"])], names=["pin_id", "pin_id"])
    assert "2 columns called 'pin_id'" in refusal(write(tmp_path / "data", pins=pins), tmp_path / "out")


def test_a_file_that_is_no_parquet_is_named(tmp_path):
    """The name of the file, and no traceback of a library."""
    folder = write(tmp_path / "data")
    (folder / "saves.parquet").write_bytes(b"board_id,pin_id\nx,a\n" * 10)
    assert refusal(folder, tmp_path / "out").startswith("saves.parquet cannot be read as Parquet")


def test_strings_that_are_not_utf8_are_told(tmp_path):
    """Arrow does not look when it reads, so the catalog must."""
    raw = pa.array([b"\xff\xfe", b"b", b"c"])
    pins = pa.table({"pin_id": pa.StringArray.from_buffers(3, raw.buffers()[1], raw.buffers()[2])})
    assert "UTF8" in refusal(write(tmp_path / "data", pins=pins), tmp_path / "out")


@pytest.mark.parametrize("table", ["pins", "saves"])
def test_damaged_files_are_refused_or_read_but_never_crash(tmp_path, table):
    """Cut and flipped files: a DatasetError that names the table, or rows that add up."""
    folder, rng, refused = write(tmp_path / "data"), random.Random(0), 0
    pq.write_table(good_world()[table], folder / f"{table}.parquet", write_page_checksum=True)
    sound = (folder / f"{table}.parquet").read_bytes()
    for number in range(150):
        spoiled = bytearray(sound[: rng.randrange(len(sound))] if number % 3 == 0 else sound)
        for _ in range(rng.randrange(1, 4) if spoiled else 0):
            spoiled[rng.randrange(len(spoiled))] ^= 1 << rng.randrange(8)
        (folder / f"{table}.parquet").write_bytes(spoiled)
        try:
            ingest(folder, tmp_path / f"out-{number}")
        except DatasetError as error:
            assert table in str(error)  # noqa: PT017 - both outcomes are right
            refused += 1
    assert refused > 100


def long_id(text: str = "p") -> str:
    return text * 200


BAD_SAVES = {
    "pin_id is null": ("x", None, day(1)),
    "board_id is null": (None, "a", day(1)),
    "pin_id is empty": ("x", "", day(1)),
    "board_id is longer than 128 characters": (long_id(), "a", day(1)),
    "pin_id holds control characters": ("x", "a\n\x1b[31mERROR", day(1)),
    "unknown pin_id": ("x", "A", day(1)),
    "unknown board_id": ("zebra", "a", day(1)),
    "saved_at is in the future": ("x", "a", day(17)),
    "duplicate save": ("x", "a", day(2)),
}


@pytest.mark.parametrize(("reason", "row"), BAD_SAVES.items(), ids=BAD_SAVES)
def test_a_bad_save_is_quarantined_with_its_reason(tmp_path, reason, row):
    """The rows around it are kept, the row is named by file and number."""
    table = saves([("x", "a", day(1)), row, ("y", "c", day(1))])
    done = ingest(write(tmp_path / "data", saves=table), tmp_path / "out")
    assert reasons(tmp_path / "out") == [("saves", 1, reason)]
    assert (done.counts[-1].kept, done.counts[-1].quarantined) == (2, 1)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (None, "pin_id is null"),
        ("", "pin_id is empty"),
        (long_id("é"), "pin_id is longer than 128 characters"),
        ("a\u2028b", "pin_id holds control characters"),
    ],
)
def test_a_bad_pin_is_quarantined_with_its_reason(tmp_path, bad, reason):
    """The same for the ids of pins."""
    pins = pa.table({"pin_id": ["a", bad, "b", "c"]})
    ingest(write(tmp_path / "data", pins=pins), tmp_path / "out")
    assert reasons(tmp_path / "out") == [("pins", 1, reason)]


def test_a_time_that_no_calendar_knows_is_quarantined(tmp_path):
    """A unit that was mistaken twice, or a null that an exporter wrote as the least number."""
    times = pa.array([2**62, -(2**62), 0, None], pa.int64()).cast(pa.timestamp("ms"))
    table = pa.table({"board_id": ["x", "x", "x", "y"], "pin_id": ["a", "b", "c", "c"], "saved_at": times})
    ingest(write(tmp_path / "data", saves=table), tmp_path / "out")
    assert reasons(tmp_path / "out") == [
        ("saves", 0, "saved_at is in the future"),
        ("saves", 1, "saved_at is before the year 1"),
    ]


def test_too_many_bad_rows_stop_the_run(tmp_path):
    """The sentence names the table, the counts, the most common reason and the first example."""
    rows = [("x", "a", None), ("y", "nobody", None), ("y", "no one", None), (None, "a", None)]
    message = refusal(write(tmp_path / "data", saves=saves(rows)), tmp_path / "out", max_bad_share=0.5)
    assert message == (
        "saves: 3 of 4 rows (75.0 %) cannot be used, more than 50 %; most often 'unknown pin_id' "
        "(2 rows, first in 'saves.parquet', row 1: "
        '{"board_id": "y", "pin_id": "nobody", "saved_at": null}). Correct the export, or raise data.max_bad_share.'
    )


def test_exactly_the_tolerated_share_is_tolerated(tmp_path):
    """One of four at 25 %."""
    rows = [("x", "a", None), ("x", "b", None), ("x", "c", None), ("x", "nobody", None)]
    done = ingest(write(tmp_path / "data", saves=saves(rows)), tmp_path / "out", max_bad_share=0.25)
    assert done.counts[-1].quarantined == 1


def test_hostile_ids_reach_no_log_and_no_error_as_they_are(tmp_path, caplog):
    """Escape sequences, newlines and megabytes are escaped and cut wherever people read."""
    rows = [("x", "a", None), ("x", "\x1b[2J\nFAKE LINE", None), ("x", "é" * 500_000, None)]
    folder = write(tmp_path / "data", saves=saves(rows))
    with caplog.at_level(logging.INFO):
        message = refusal(folder, tmp_path / "out", max_bad_share=0.1)
        ingest(folder, tmp_path / "out")
    records = pq.read_table(tmp_path / "out" / "quarantine.parquet").column("record").to_pylist()
    for text in (message, caplog.text.rstrip("\n").replace("\n", " "), *records):
        assert text.isascii()
        assert text.isprintable()
        assert len(text) < 2500


def test_all_pins_bad_is_an_error(tmp_path):
    """No share of bad rows below all of them lets an empty catalog through."""
    pins = pa.table({"pin_id": pa.array([None, "", ""], pa.string())})
    message = refusal(write(tmp_path / "data", pins=pins), tmp_path / "out", max_bad_share=0.999999)
    assert "pins: 3 of 3 rows (100.0 %) cannot be used" in message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_told(tmp_path):
    """A permission is the owner's to give."""
    folder = write(tmp_path / "data")
    (folder / "pins.parquet").chmod(0)
    with pytest.raises(PinSageError, match=r"pins\.parquet may not be read by the user of this process \(uid \d+\)"):
        Dataset.open(str(folder)).tables()


def test_a_file_that_may_not_be_read_is_not_called_damaged():
    """As pyarrow tells it, also where the tests run as root: another export would not help."""
    with pytest.raises(DatasetError, match=rf"uid {os.geteuid()}.*chmod"), clear_errors("pins.parquet"):
        raise PermissionError(13, "Failed to open local file '/data/mine/pins.parquet'")
