"""Runs of rows reach their place in a `.npy` file and no other, with the checksum they were made with."""

import io
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinsage.errors import DiskFullError, PinSageError
from pinsage.store.disk import full_disk_named
from pinsage.store.rows import PartWriter, RowFile, allocate, blocks


@pytest.fixture
def path(tmp_path):
    """An array of ten rows of three int32, all zero."""
    allocate(tmp_path / "a.npy", np.int32, (10, 3))
    return tmp_path / "a.npy"


def test_rows_land_in_their_place(path):
    """Rows 4 to 6; the others stay zero."""
    rows = np.arange(1, 10, dtype=np.int32).reshape(3, 3)
    with RowFile.open(path).open_at(4, 7) as file:
        writer = PartWriter({"a": file}, 4, 7)
        writer.append({"a": rows[:1]})
        writer.append({"a": rows[1:]})
    expected = np.zeros((10, 3), np.int32)
    expected[4:7] = rows
    np.testing.assert_array_equal(np.load(path), expected)
    assert writer.finish().checksums == {"a": zlib.crc32(rows.tobytes())} == {"a": RowFile.open(path).checksum(4, 7)}


@pytest.mark.parametrize("rows", [(-1, 3), (8, 11), (5, 4)])
def test_rows_beyond_the_array_are_refused(path, rows):
    """A write past the end would make the file longer."""
    with pytest.raises(PinSageError, match=rf"Rows {rows[0]} to {rows[1]} are not rows of .* which has 10"):
        RowFile.open(path).open_at(*rows)


@pytest.mark.parametrize("count", [2, 4])
def test_a_part_of_another_length_is_refused(count):
    """Too few and too many rows are noticed at the end of the part."""
    writer = PartWriter({"a": io.BytesIO()}, 0, 3)
    writer.append({"a": np.zeros((count, 2))})
    with pytest.raises(PinSageError, match=f"{count} rows of a were made for the part of 3 rows at 0"):
        writer.finish()


def test_another_version_of_the_format_is_refused(tmp_path):
    """Its header has another length."""
    with (tmp_path / "b.npy").open("wb") as file:
        np.lib.format.write_array(file, np.zeros(3), version=(2, 0))
    with pytest.raises(PinSageError, match=r"version \(2, 0\), not \(1, 0\)"):
        RowFile.open(tmp_path / "b.npy")


@given(st.binary(max_size=100), st.integers(0, 120))
def test_blocks_are_the_next_bytes(data, size):
    """All of them and no more."""
    file = io.BytesIO(data)
    assert b"".join(blocks(file, size)) == data[:size]
    assert file.read() == data[size:]


def test_a_full_disk_is_named_with_its_folder(tmp_path):
    """Linux keeps a device that is always full."""
    with (
        pytest.raises(DiskFullError, match=rf"The disk of {tmp_path} on \S+ is full \(\d+ MB free\); half is gone\."),
        full_disk_named(tmp_path, "; half is gone"),
        open("/dev/full", "w") as full,
    ):
        full.write("x" * 10_000)


def test_another_error_of_the_disk_stays_what_it_is(tmp_path):
    """A missing file is not a full disk."""
    with pytest.raises(FileNotFoundError), full_disk_named(tmp_path):
        (tmp_path / "nothing").read_bytes()
