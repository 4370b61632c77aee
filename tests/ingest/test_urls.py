"""Whatever is named as a data set, the answer is a catalog or one printable sentence."""

import gc
import os
import socket

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_set_world import NOW, good_world, ingest, ingested, reasons, write

from pinsage.errors import DatasetError, MachineError
from pinsage.ingest.source.dataset import Dataset
from pinsage.ingest.source.fingerprint import identity_at
from pinsage.settings.loading import load_settings

URLS = {
    "a zip that is not there": "zip://x::/nonexistent.zip",
    "a server without a name": "ftp://",
    "a library that is not there": "hdfs://",
    "a host that is none": "ftp://[",
    "NUL": "/data\0set",
    "a lone surrogate": "/data/\ud800",
    "a surrogate behind a protocol": "memory://\udcff",
    "a component of 300 characters": "/" + "x" * 300,
    "escape sequences": "/\x1b[2J\nFAKE",
    "an unknown protocol": "nosuchprotocol://bucket/x",
    "a megabyte": "/" + "y" * 1_000_000,
}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of fsspec's half-made FTP file system
@pytest.mark.parametrize("url", URLS.values(), ids=URLS)
def test_a_url_that_cannot_be_opened_gives_one_sentence(url):
    """Short, printable, with what to check; file systems raise whatever their libraries do."""
    with pytest.raises(DatasetError) as caught:
        Dataset.open(url).tables()
    gc.collect()
    message = str(caught.value)
    assert message.isascii()
    assert message.isprintable()
    assert len(message) < 800
    assert "Check" in message


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_server_that_is_down_is_named_and_may_be_up_later():
    """A port that nobody listens on."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"ftp://127.0.0.1:{closed.getsockname()[1]}/tables"
        with pytest.raises(MachineError, match=rf"^The data set {url} does not answer \(.*refused.*\)\.") as caught:
            Dataset.open(url)
    gc.collect()
    assert caught.value.retry_can_help


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_folder_is_told(tmp_path):
    """A permission is the owner's to give."""
    folder = write(tmp_path / "data")
    folder.chmod(0)
    try:
        with pytest.raises(DatasetError, match="who may read it"):
            Dataset.open(str(folder)).tables()
    finally:
        folder.chmod(0o755)


def test_a_folder_that_raises_when_it_is_listed_is_told(tmp_path, monkeypatch):
    """As one without permission does, also where the tests run as root."""
    folder = Dataset.open(str(write(tmp_path / "data")))

    def refuse(_name):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(folder, "_list_files", refuse)
    with pytest.raises(DatasetError, match=r"Permission denied.*who may read it"):
        folder.tables()


def test_a_file_name_that_is_no_utf8_is_read_or_told(tmp_path):
    """A folder of files, one of which has a name of another encoding."""
    folder = write(tmp_path / "data", saves=None)
    (folder / "saves").mkdir()
    pq.write_table(good_world()["saves"], folder / "saves" / "1.parquet")
    (folder / "saves" / "1.parquet").rename(os.fsdecode(bytes(folder / "saves") + b"/\xff.parquet"))
    with pytest.raises(DatasetError, match="cannot be opened"):
        ingest(folder, tmp_path / "out")


@pytest.mark.parametrize(("table", "column"), [("saves", "saved_at"), ("pins", "title"), ("saves", "pin_id")])
def test_a_column_in_another_case_is_named(tmp_path, table, column):
    """An optional one would else be lost without a word."""
    found = good_world()[table]
    renamed = found.rename_columns({column: column.upper()})
    with pytest.raises(DatasetError, match=f"no column '{column}'. Did you mean '{column.upper()}'"):
        ingest(write(tmp_path / "data", **{table: renamed}), tmp_path / "out")


def test_a_column_in_another_case_beside_the_right_one_is_ignored(tmp_path):
    """As every other column that nobody asked for."""
    pins = good_world()["pins"].append_column("TITLE", pa.array(["1", "2", "3"]))
    assert ingested(write(tmp_path / "data", pins=pins), tmp_path / "out").num_pins == 3


PATHS = {
    "a component of 300 characters": "x" * 300,
    "6,000 characters": "a/" * 3000 + "a.jpg",
    "a link to itself": "loop",
    "beyond a link to itself": "loop/a.jpg",
    "two links to each other": "there",
    "beyond a file": "good.jpg/a.jpg",
    "a character that nobody sees": "a\u200bb",
}


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_a_path_that_no_file_system_takes_is_quarantined(tmp_path, path):
    """The other pictures stay, and the data set has an identity."""
    pins = pa.table({"pin_id": ["a", "b", "c"], "image_path": ["good.jpg", path, None]})
    folder = write(tmp_path / "data", pins=pins)
    (folder / "good.jpg").write_bytes(b"picture")
    for name, target in (("loop", "loop"), ("there", "back"), ("back", "there")):
        (folder / name).symlink_to(target)
    done = ingest(folder, tmp_path / "out")
    assert [row[:2] for row in reasons(tmp_path / "out")] == [("pictures", 1)]
    assert {count.table: count.kept for count in done.counts}["pictures"] == 1
    assert identity_at(load_settings(overrides={"data.dataset": str(folder)}), NOW)["picture_files"]
