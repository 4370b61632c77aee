"""The picture features of a whole catalog."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pinsage.catalog.catalog import Catalog
from pinsage.errors import DatasetError
from pinsage.features.descriptor import Descriptor
from pinsage.features.picture_features import write_picture_features
from pinsage.features.vector_cache import VectorCache
from pinsage.settings.schema import VisualSettings


def picture(seed: int) -> bytes:
    """A small JPEG of noise."""
    noise = np.random.default_rng(seed).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "JPEG")
    return buffer.getvalue()


def catalog(folder, pictures: list[bytes | None]) -> Catalog:
    """A catalog with one pin per entry, as the stage ingest writes it."""
    folder.mkdir(parents=True)
    pins = pa.table({"pin_id": [f"p{pin}" for pin in range(len(pictures))]})
    having = [pin for pin, content in enumerate(pictures) if content is not None]
    held = {"pin": pa.array(having, pa.int32()), "picture": pa.array([pictures[pin] for pin in having], pa.binary())}
    for name, table in {"pins": pins, "boards": pins, "saves": pins, "pictures": pa.table(held)}.items():
        pq.write_table(table, folder / f"{name}.parquet", write_page_checksum=True)
    return Catalog.open(folder)


def written(tmp_path, pictures, *, name: str = "day1", batch_size: int = 2):
    """The facts of a run over a new catalog, and the folder it wrote into; the cache stays between runs."""
    cache = VectorCache(tmp_path / "cache", dim=Descriptor.dim)
    out = tmp_path / f"{name}-out"
    out.mkdir(parents=True)
    settings = VisualSettings(batch_size=batch_size)
    facts = write_picture_features(catalog(tmp_path / name, pictures), Descriptor(), settings, cache=cache, folder=out)
    return facts, out


def test_every_picture_lands_in_the_row_of_its_pin(tmp_path):
    """Pins without a picture and with a broken one are zero rows that `has_picture` denies."""
    facts, out = written(tmp_path, [picture(0), None, b"junk", picture(3), picture(4)])
    visual, has_picture = np.load(out / "visual.npy"), np.load(out / "has_picture.npy")
    assert has_picture.tolist() == visual.any(axis=1).tolist() == [True, False, False, True, True]
    alone = np.load(written(tmp_path / "apart", [picture(3)])[1] / "visual.npy")
    assert np.array_equal(visual[3], alone[0])
    assert visual.dtype == np.float32
    assert (facts["pins_with_picture"], facts["pins_without_picture"], facts["dim"]) == (3, 2, 240)


def test_unreadable_pictures_are_quarantined_by_pin_id(tmp_path):
    """Each with its reason; their number is a fact and in the log."""
    facts, out = written(tmp_path, [b"junk", picture(1), picture(2)[:300]])
    rows = pq.read_table(out / "quarantine.parquet").to_pylist()
    assert [row["pin_id"] for row in rows] == ["p0", "p2"]
    assert rows[0]["reason"] == "not a JPEG, PNG, WebP or GIF"
    assert "truncated" in rows[1]["reason"].lower()
    assert facts["unreadable_pictures"] == 2


def test_the_next_day_encodes_only_new_pictures(tmp_path):
    """Pictures are known by their bytes, whichever pin they belong to today, and give the same rows."""
    _, first = written(tmp_path, [picture(0), picture(1)])
    facts, second = written(tmp_path, [picture(5), picture(1), b"junk", picture(0)], name="day2")
    assert (facts["encoded_pictures"], facts["cached_pictures"], facts["unreadable_pictures"]) == (1, 2, 1)
    assert np.array_equal(np.load(second / "visual.npy")[[3, 1]], np.load(first / "visual.npy"))


def test_a_damaged_cache_costs_time_and_nothing_else(tmp_path):
    """The file is counted and left alone, the pictures are encoded anew, the bytes are the same."""
    _, first = written(tmp_path, [picture(0), picture(1)])
    (file,) = (tmp_path / "cache").iterdir()
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    facts, second = written(tmp_path, [picture(0), picture(1)], name="day2")
    assert (facts["damaged_cache_files"], facts["cached_pictures"], facts["encoded_pictures"]) == (1, 0, 2)
    assert (first / "visual.npy").read_bytes() == (second / "visual.npy").read_bytes()


def test_the_size_of_a_batch_decides_no_byte(tmp_path):
    """It is an execution setting."""
    pictures = [picture(seed) for seed in range(7)]
    files = []
    for batch_size in (1, 3, 64):
        _, out = written(tmp_path / str(batch_size), pictures, batch_size=batch_size)
        files.append((out / "visual.npy").read_bytes())
    assert files[0] == files[1] == files[2]


def test_a_catalog_without_pictures_is_no_error(tmp_path):
    """Zero rows of full width, so that a model has the same shape everywhere."""
    facts, out = written(tmp_path, [None, None])
    assert np.array_equal(np.load(out / "visual.npy"), np.zeros((2, 240), dtype=np.float32))
    assert pq.read_table(out / "quarantine.parquet").num_rows == 0
    assert facts["pins_without_picture"] == 2


def test_a_catalog_whose_every_picture_is_unreadable_stops_the_run(tmp_path):
    """Then something is wrong with the export, and a model without pictures is not what was asked for."""
    with pytest.raises(DatasetError, match=r"None of 2 pictures is readable \(the first: not a JPEG"):
        written(tmp_path, [b"junk", None, b"more junk"])
