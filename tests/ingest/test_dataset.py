"""A data set is found wherever fsspec reaches, as files or as folders of files."""

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_set_world import NOW, good_world, ingested, write

from pinsage.errors import DatasetError
from pinsage.ingest.source.dataset import Dataset
from pinsage.ingest.source.fingerprint import identity_at
from pinsage.settings.loading import load_settings


@pytest.fixture
def in_memory(tmp_path):
    """The good world with a picture file, locally and under memory://."""
    pins = pa.table({"pin_id": ["a", "b", "c"], "image_path": ["images/a.jpg", "../b.jpg", None]})
    folder = write(tmp_path / "data", pins=pins)
    (folder / "images").mkdir()
    (folder / "images" / "a.jpg").write_bytes(b"picture")
    memory = fsspec.filesystem("memory")
    for path in folder.rglob("*.*"):
        memory.pipe(f"/world/{path.relative_to(folder)}", path.read_bytes())
    yield folder, "memory://world"
    memory.rm("/world", recursive=True)


def test_a_url_is_ingested_as_the_same_folder_is(tmp_path, in_memory):
    """The same bytes for every published file, pictures in files included."""
    for name, url in zip(("local", "remote"), in_memory, strict=True):
        catalog = ingested(url, tmp_path / name)
        assert catalog.pictures_of(np.arange(3, dtype=np.int32)) == {0: b"picture"}
    for path in (tmp_path / "local").iterdir():
        assert path.read_bytes() == (tmp_path / "remote" / path.name).read_bytes()


def test_a_url_has_the_table_digests_of_the_same_folder(in_memory):
    """Names are relative and content is content."""
    local, remote = (
        identity_at(load_settings(overrides={"data.dataset": str(url)}), NOW)["tables"] for url in in_memory
    )
    assert local == remote


@pytest.mark.parametrize("name", ["saves", "saves.parquet"])
def test_a_table_may_be_a_folder_of_files(tmp_path, name):
    """Also under the name that Spark gives such a folder; hidden files and marks are no tables."""
    folder = write(tmp_path / "data", saves=None)
    (folder / name).mkdir()
    for number in range(3):
        pq.write_table(good_world()["saves"].slice(number, 1), folder / name / f"part-{number}.snappy.parquet")
    (folder / name / ".part-0.snappy.parquet.crc").write_bytes(b"crc")
    (folder / name / "_SUCCESS").write_bytes(b"")
    assert ingested(folder, tmp_path / "out").num_saves == 3


def test_a_folder_without_parquet_files_is_no_table(tmp_path):
    """An export that has not begun to write."""
    folder = write(tmp_path / "data", saves=None)
    (folder / "saves").mkdir()
    with pytest.raises(DatasetError, match="no table 'saves'"):
        Dataset.open(str(folder)).tables()


def test_a_data_set_behind_a_link_keeps_its_pictures(tmp_path):
    """The folder itself may be a symbolic link; what must not leave it is what it holds."""
    pins = pa.table({"pin_id": ["a", "b", "c"], "image_path": ["a.jpg", None, None]})
    folder = write(tmp_path / "data", pins=pins)
    (folder / "a.jpg").write_bytes(b"picture")
    (tmp_path / "link").symlink_to(folder)
    catalog = ingested(tmp_path / "link", tmp_path / "out")
    assert catalog.pictures_of(np.array([0], np.int32)) == {0: b"picture"}
