"""The footer tells what pyarrow would tell, and damage is an error and never the end of the process."""

import random
from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pinsage.catalog.columns import canonical
from pinsage.catalog.footer import NO_TIME, read_footer
from pinsage.catalog.schema import Kind

INSTANTS = [datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), datetime(2024, 6, 1, 12, tzinfo=UTC), None]


def footer_of(path):
    with pa.OSFile(str(path)) as file:
        return read_footer(file)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Tokyo"])
def test_the_newest_time_is_that_of_the_column(tmp_path, unit, zone):
    """In microseconds for any unit, also before 1970, per row group, with and without a null beside it."""
    values = pa.array(INSTANTS, pa.timestamp("us", "UTC")).cast(pa.timestamp(unit, zone), safe=False)
    pq.write_table(pa.table({"at": values}), tmp_path / "t.parquet", row_group_size=1)
    footer = footer_of(tmp_path / "t.parquet")
    known = canonical(values, Kind.TIME).to_pylist()[:2]
    assert footer.newest == {"at": (*known, NO_TIME)}
    assert footer.rows == (1, 1, 1)


def test_a_date_is_its_first_instant(tmp_path):
    """As in the column itself."""
    values = pa.array([date(1969, 12, 31), date(1970, 1, 2)])
    pq.write_table(pa.table({"at": values}), tmp_path / "t.parquet")
    assert footer_of(tmp_path / "t.parquet").newest == {"at": (86_400_000_000,)}


@pytest.mark.parametrize("options", [{"write_statistics": False}, {"use_deprecated_int96_timestamps": True}], ids=str)
def test_what_a_writer_does_not_tell_is_not_guessed(tmp_path, options):
    """No statistics, or times of twelve bytes, as old Spark wrote them."""
    values = pa.array(INSTANTS, pa.timestamp("us", "UTC"))
    pq.write_table(pa.table({"at": values}), tmp_path / "t.parquet", **options)
    assert footer_of(tmp_path / "t.parquet").newest.get("at", (None,)) == (None,)


def test_sizes_and_rows_are_those_that_pyarrow_reads(tmp_path):
    """Many row groups, lists and pictures beside ids."""
    table = pa.table({"id": ["a", "b"] * 500, "words": [["x", "y"], None] * 500, "image": [b"1" * 50] * 1000})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=7)
    footer, metadata = footer_of(tmp_path / "t.parquet"), pq.read_metadata(tmp_path / "t.parquet")
    groups = [metadata.row_group(group) for group in range(metadata.num_row_groups)]
    assert footer.rows == tuple(group.num_rows for group in groups)
    for place, name in enumerate(("id", "words.list.element", "image")):
        assert footer.sizes[name] == sum(group.column(place).total_uncompressed_size for group in groups)


def test_a_damaged_footer_is_an_error_or_is_read(tmp_path):
    """Two thousand cut, flipped and random footers: nothing but ArrowInvalid comes out of them."""
    pq.write_table(pa.table({"at": pa.array(INSTANTS, pa.timestamp("us"))}), tmp_path / "t.parquet", row_group_size=1)
    sound, rng, refused = (tmp_path / "t.parquet").read_bytes(), random.Random(0), 0
    length = int.from_bytes(sound[-8:-4], "little")
    for _ in range(2000):
        spoiled = bytearray(sound)
        for _ in range(rng.randrange(1, 6)):
            spoiled[len(sound) - 8 - rng.randrange(length)] = rng.randrange(256)
        spoiled = spoiled[rng.randrange(len(sound)) :] if rng.random() < 0.1 else spoiled
        try:
            read_footer(pa.BufferReader(bytes(spoiled)))
        except pa.ArrowInvalid:
            refused += 1
    assert refused > 500


@pytest.mark.parametrize("content", [b"", b"PAR1", b"x" * 100, b"\xff\xff\xff\xffPAR1"])
def test_what_is_no_parquet_is_refused(content):
    """Too short, other bytes at the end, or a footer longer than the file."""
    with pytest.raises(pa.ArrowInvalid, match="does not end as a Parquet file does"):
        read_footer(pa.BufferReader(content))
