"""Pictures are found, judged by size and place, and written in the order of the pins, in bounded memory."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_set_world import ingest, ingested, reasons, write

from pinsage.errors import DatasetError


def pins_with_files(paths: list[str | None]) -> pa.Table:
    return pa.table({"pin_id": ["a", "b", "c"], "image_path": pa.array(paths, pa.string())})


def test_pictures_come_in_the_order_of_the_pins(tmp_path):
    """The table of pins is in another order, and one pin has none."""
    pins = pa.table({"pin_id": ["c", "a", "b"], "image": [b"of c", b"of a", None]})
    catalog = ingested(write(tmp_path / "data", pins=pins), tmp_path / "out")
    assert [(list(rows), found) for rows, found in catalog.pictures()] == [([0, 2], [b"of a", b"of c"])]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "boards.parquet",
        "pictures.parquet",
        "pins.parquet",
        "quarantine.parquet",
        "saves.parquet",
    ]


def test_pictures_may_lie_in_files_beside_the_tables(tmp_path):
    """Paths are relative to the data set's folder."""
    folder = write(tmp_path / "data", pins=pins_with_files(["images/1.jpg", None, "./images/2.jpg"]))
    (folder / "images").mkdir()
    for number in (1, 2):
        (folder / "images" / f"{number}.jpg").write_bytes(b"picture %d" % number)
    catalog = ingested(folder, tmp_path / "out")
    assert catalog.pictures_of(np.array([0, 1, 2], np.int32)) == {0: b"picture 1", 2: b"picture 2"}


def test_bytes_go_before_a_file(tmp_path):
    """Where a row has both, the file is not even looked for."""
    pins = pa.table({"pin_id": ["a", "b", "c"], "image": [b"1", b"", None], "image_path": ["no.jpg", "b.jpg", None]})
    folder = write(tmp_path / "data", pins=pins)
    (folder / "b.jpg").write_bytes(b"from a file")
    catalog = ingested(folder, tmp_path / "out")
    assert catalog.pictures_of(np.arange(3, dtype=np.int32)) == {0: b"1", 1: b"from a file"}


ROOT = Path(__file__).parents[2]
OUTSIDE = "picture path leads outside the data set"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("../secret.jpg", OUTSIDE),
        ("images/../../secret.jpg", OUTSIDE),
        ("/etc/passwd", OUTSIDE),
        ("file:///etc/passwd", OUTSIDE),
        ("http://example.com/1.jpg", OUTSIDE),
        ("link.jpg", OUTSIDE),
        ("a\x00b.jpg", OUTSIDE),
        ("..\\secret.jpg", OUTSIDE),
        ("nothing.jpg", "picture file is missing"),
        ("folder", "picture file is missing"),
        ("empty.jpg", "picture file is empty"),
        ("large.jpg", "picture is larger than 1 MB"),
    ],
)
def test_a_refused_picture_leaves_its_pin(tmp_path, path, reason):
    """The pin stays without a picture, its saves stay, and the quarantine names the picture."""
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    folder = write(tmp_path / "data", pins=pins_with_files(["good.jpg", path, None]))
    (folder / "folder").mkdir()
    (folder / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    (folder / "good.jpg").write_bytes(b"good")
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "large.jpg").write_bytes(b"0" * 1_000_001)
    done = ingest(folder, tmp_path / "out", max_picture_mb=1)
    assert reasons(tmp_path / "out") == [("pictures", 1, reason)]
    counts = {count.table: (count.rows_in, count.kept, count.quarantined) for count in done.counts}
    assert counts == {"pins": (3, 3, 0), "pictures": (2, 1, 1), "boards": (2, 2, 0), "saves": (4, 4, 0)}


def test_too_many_refused_pictures_stop_the_run(tmp_path):
    """The share is one of pictures, not of pins: a wrong folder name spoils all of them."""
    folder = write(tmp_path / "data", pins=pins_with_files(["1.jpg", None, None]))
    with pytest.raises(DatasetError, match=r"pictures: 1 of 1 rows \(100\.0 %\).*'picture file is missing'"):
        ingest(folder, tmp_path / "out")


def test_the_picture_of_a_quarantined_pin_is_not_counted(tmp_path):
    """It went with its row."""
    pins = pa.table({"pin_id": ["a", None, "b"], "image": [b"1", b"2", b"3"]})
    done = ingest(write(tmp_path / "data", pins=pins), tmp_path / "out")
    assert [(count.rows_in, count.kept) for count in done.counts if count.table == "pictures"] == [(2, 2)]


MEASURE = """
import sys
from datetime import UTC, datetime
from pathlib import Path
import pyarrow as pa
from pinsage.ingest.ingest import ingest_dataset
from pinsage.ingest.pictures import pictures
from pinsage.settings.schema import DataSettings

pictures.ROW_GROUP_PICTURES = 16
done = ingest_dataset(DataSettings(dataset=sys.argv[1]), Path(sys.argv[2]), now=datetime.now(UTC))
print(done.counts[1].kept, pa.default_memory_pool().max_memory() // 1_000_000)
"""


def test_memory_does_not_grow_with_the_pictures(tmp_path):
    """40 MB of pictures in one row group, in any order: a process of its own never holds more than 25 MB."""
    folder, rng = write(tmp_path / "data", pins=None), np.random.default_rng(0)
    ids = [f"{number:04d}" for number in rng.permutation(250)]
    pins = pa.table({"pin_id": ids, "image": [rng.bytes(160_000) for _ in ids]})
    pq.write_table(pins, folder / "pins.parquet", compression="none", use_dictionary=False, write_batch_size=16)
    pq.write_table(pa.table({"board_id": ["x"] * 250, "pin_id": ids}), folder / "saves.parquet")
    (tmp_path / "out").mkdir()
    command = [sys.executable, "-c", MEASURE, str(folder), str(tmp_path / "out")]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    kept, peak_mb = map(int, answer.stdout.split())
    assert kept == 250
    assert peak_mb < 25
