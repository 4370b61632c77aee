"""The owner's canaries: read from Parquet or CSV, asked of a model, and a sentence for each that does not hold."""

import os
import re
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pinsage.catalog.ids import PinIds
from pinsage.errors import InputError
from pinsage.promotion.canaries import Canary, failures, read_canaries


class Model:
    """Pin 0a goes with 1b, then 2c, and so on."""

    pin_ids = PinIds(pa.array(["0a", "1b", "2c"]))

    def related(self, pin_id: str, k: int = 10) -> SimpleNamespace:
        others = [other for other in self.pin_ids.array.to_pylist() if other != pin_id]
        return SimpleNamespace(pin_ids=others[:k])


def test_canaries_are_read_from_parquet_and_from_csv(tmp_path):
    """Ids are text in both, also those that look like numbers; `within` may be left out."""
    pq.write_table(
        pa.table({"pin_id": ["007"], "neighbor_pin_id": ["8"], "within": pa.array([3], pa.int32())}),
        tmp_path / "a.parquet",
    )
    (tmp_path / "a.csv").write_text("neighbor_pin_id,pin_id,note\n8,007,spies\n")
    assert read_canaries(str(tmp_path / "a.parquet")) == [Canary("007", "8", 3)]
    assert read_canaries(f"file://{tmp_path}/a.csv") == [Canary("007", "8", 10)]


def test_canaries_that_do_not_hold_are_named():
    """The pin and the neighbor that is missed; a pin that the catalog has not is a failure, too."""
    canaries = [Canary("0a", "1b", 1), Canary("0a", "2c", 1), Canary("0a", "gone"), Canary("gone", "0a")]
    assert list(failures(canaries, Model())) == [
        "'2c' is not among the first 1 of '0a'.", "The catalog has no pin 'gone'.", "The catalog has no pin 'gone'.",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("pin_id,other\na,b\n", "no column 'neighbor_pin_id'"),
        ("pin_id,neighbor_pin_id,within\na,b,0\n", "Row 1 of the canaries"),
        ("pin_id,neighbor_pin_id,within\na,b,ten\n", "Row 1 of the canaries"),
        ("pin_id,neighbor_pin_id\na,b\n,b\n", "Row 2 of the canaries"),
        ("pin_id,pin_id,neighbor_pin_id\na,b,c\n", "more than one column 'pin_id'"),
        ("", "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_a_table_that_cannot_be_used_is_one_sentence(tmp_path, content, message):
    """Missing, empty, without a column, or with a value that is none."""
    if content is not None:
        (tmp_path / "a.csv").write_text(content)
    with pytest.raises(InputError, match=re.escape(message)):
        read_canaries(str(tmp_path / "a.csv"))


def test_a_parquet_file_that_is_none_is_one_sentence(tmp_path):
    """Its name is not what makes it one."""
    (tmp_path / "a.parquet").write_text("pin_id\n")
    with pytest.raises(InputError, match="cannot be read"):
        read_canaries(str(tmp_path / "a.parquet"))


@pytest.mark.parametrize("name", ["pipe.csv", "folder.parquet", "loop.csv", "zero.csv"])
def test_a_path_to_no_file_is_refused_at_once(tmp_path, name):
    """A pipe that nobody writes to would be read for ever, and the zeros of a device without an end."""
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.parquet").mkdir()
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    with pytest.raises(InputError, match=r"cannot be read \(.*Check promote\.canaries"):
        read_canaries(str(tmp_path / name))
