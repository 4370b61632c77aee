"""Tables by row group: the same file however the rows came."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from pinsage.errors import ArtifactDamagedError
from pinsage.store.parquet_files import ROW_GROUP_ROWS
from pinsage.store.row_groups import Int32Writer, row_groups

SIZE = 2 * ROW_GROUP_ROWS + 5


@pytest.mark.parametrize("step", [1000, ROW_GROUP_ROWS, ROW_GROUP_ROWS + 1, SIZE])
def test_the_file_depends_on_the_rows_alone(tmp_path, step):
    """Byte by byte the file of one write, with full row groups; and read back it is what was written."""
    column = np.random.default_rng(0).integers(0, 2**31, SIZE).astype(np.int32)
    for name, width in (("whole", SIZE), ("parts", step)):
        with Int32Writer.open(tmp_path / name, ("a", "b")) as file:
            for start in range(0, SIZE, width):
                file.write(column[start : start + width], column[::-1][start : start + width])
        assert file.num_rows == SIZE
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "parts").read_bytes()
    tables = list(row_groups(tmp_path / "parts", ["b"]))
    assert [table.num_rows for table in tables] == [ROW_GROUP_ROWS, ROW_GROUP_ROWS, 5]
    assert np.array_equal(np.concatenate([table["b"].to_numpy() for table in tables]), column[::-1])


def test_a_table_without_rows_has_its_columns(tmp_path):
    """Whether nothing was written or an empty part."""
    with Int32Writer.open(tmp_path / "a", ("query", "positive")):
        pass
    with Int32Writer.open(tmp_path / "b", ("query", "positive")) as file:
        file.write(*np.zeros((2, 0), np.int32))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert str(pq.read_schema(tmp_path / "a")) == "query: int32\npositive: int32"


@pytest.mark.parametrize("damage", ["flipped", "cut", "gone"])
def test_a_damaged_file_is_one_error_with_its_name(tmp_path, damage):
    """A bit of a page, the end of the file, the file: found by checksum, footer and file system."""
    path = tmp_path / "a.parquet"
    with Int32Writer.open(path, ("a",)) as file:
        file.write(np.random.default_rng(0).integers(0, 2**31, 1000).astype(np.int32))
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 16
    damaged = {"flipped": bytes(content), "cut": path.read_bytes()[:-5]}
    path.unlink() if damage == "gone" else path.write_bytes(damaged[damage])
    with pytest.raises(ArtifactDamagedError, match=r"a\.parquet cannot be read .*next run makes it again\."):
        list(row_groups(path, ["a"]))
