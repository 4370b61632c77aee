"""The stage featurize_visual on a catalog as ingest writes it."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pinsage.errors import SettingsError
from pinsage.settings.loading import load_settings
from tasks.featurize_visual import featurize_visual
from tasks.running.work import StageWork


def ingested(folder):
    """An ingest folder with three pins: a red picture, none, a broken one."""
    buffer = io.BytesIO()
    Image.new("RGB", (30, 20), "red").save(buffer, "JPEG")
    pins = pa.table({"pin_id": ["p0", "p1", "p2"]})
    pictures = pa.table({"pin": pa.array([0, 2], pa.int32()), "picture": pa.array([buffer.getvalue(), b"junk"])})
    folder.mkdir()
    for name, table in {"pins": pins, "boards": pins, "saves": pins, "pictures": pictures}.items():
        pq.write_table(table, folder / f"{name}.parquet", write_page_checksum=True)
    return folder


def work(tmp_path, **visual) -> StageWork:
    """The work of the stage; `home` is shared by the runs of a test."""
    settings = load_settings(overrides={f"visual.{name}": value for name, value in visual.items()})
    ingest, out = tmp_path / "ingest", tmp_path / "out"
    out.mkdir(exist_ok=True)
    return StageWork(settings, {"ingest": ingest if ingest.exists() else ingested(ingest)}, out, out, tmp_path)


def test_the_stage_writes_what_the_data_model_promises(tmp_path):
    """Three files with their types and shapes; facts count each pin once."""
    facts = featurize_visual(work(tmp_path))
    visual = np.load(tmp_path / "out" / "visual.npy")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "has_picture.npy", "quarantine.parquet", "visual.npy"
    ]  # fmt: skip
    assert (visual.dtype, visual.shape) == (np.float32, (3, 240))
    assert np.load(tmp_path / "out" / "has_picture.npy").tolist() == [True, False, False]
    assert pq.read_table(tmp_path / "out" / "quarantine.parquet")["pin_id"].to_pylist() == ["p2"]
    assert facts["pins_with_picture"] + facts["pins_without_picture"] == 3


def test_a_second_run_finds_its_pictures_below_home(tmp_path):
    """The cache lies in home/cache/visual/<encoder> and answers for what it knows."""
    assert featurize_visual(work(tmp_path))["cached_pictures"] == 0
    before = (tmp_path / "out" / "visual.npy").read_bytes()
    assert featurize_visual(work(tmp_path))["cached_pictures"] == 1
    assert (tmp_path / "out" / "visual.npy").read_bytes() == before
    assert [path.name for path in (tmp_path / "cache" / "visual").iterdir()] == ["descriptor-1"]


def test_vgg_without_weights_is_refused_before_any_picture_is_read(tmp_path):
    """The error names the setting; no folder of a cache appears."""
    with pytest.raises(SettingsError, match=r"visual\.weights"):
        featurize_visual(work(tmp_path, encoder="vgg16"))
    assert not (tmp_path / "cache").exists()
