"""The stage featurize_text on a catalog as ingest writes it."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pinsage.features.matrix import FEATURE_STAGES, FeatureMatrix
from pinsage.settings.loading import load_settings
from tasks.featurize_text import featurize_text
from tasks.running.work import StageWork


def ingested(folder, annotations: list[list[str]], titles: list[str | None]):
    """An ingest folder with words."""
    folder.mkdir()
    count, strings = len(titles), pa.list_(pa.string())
    nothing = pa.nulls(count, pa.string())
    pins = pa.table(
        {
            "pin_id": [f"p{pin}" for pin in range(count)],
            "title": pa.array(titles, pa.string()),
            "description": nothing,
            "link": nothing,
            "annotations": pa.array(annotations, strings),
        }
    )
    for name in ("pins", "boards", "saves", "pictures"):
        pq.write_table(pins, folder / f"{name}.parquet", write_page_checksum=True)
    return folder


def worked(tmp_path, annotations, titles, **text):
    """The facts of the stage and the folder it wrote."""
    settings = load_settings(overrides={f"text.{name}": value for name, value in text.items()})
    out = tmp_path / "out"
    out.mkdir()
    inputs = {"ingest": ingested(tmp_path / "ingest", annotations, titles)}
    return featurize_text(StageWork(settings, inputs, out, out, tmp_path)), out


def test_the_stage_writes_what_the_data_model_promises(tmp_path):
    """Four files with their types and shapes, and facts that add up to the pins."""
    facts, out = worked(tmp_path, [["pie", "cake"], [], ["pie"], []], [None, "Pie!", None, None], dim=8)
    assert sorted(path.name for path in out.iterdir()) == [
        "has_text.npy",
        "text.npy",
        "vocabulary.parquet",
        "words.npy",
    ]
    text, has_text = np.load(out / "text.npy"), np.load(out / "has_text.npy")
    assert (text.dtype, text.shape) == (np.float32, (4, 8))
    assert has_text.tolist() == [True, True, True, False]
    assert np.array_equal(text[1], np.load(out / "words.npy")[0])
    assert facts["pins_with_text"] + facts["pins_without_text"] == 4
    assert (facts["vocabulary"], facts["words_read"], facts["words_too_rare"], facts["dim"]) == (1, 4, 1, 8)


def test_a_data_set_without_any_word_passes_through(tmp_path):
    """Zero features for every pin; the stage does not fail."""
    facts, out = worked(tmp_path, [[], []], [None, ""])
    assert not np.load(out / "text.npy").any()
    assert facts["pins_without_text"] == 2


def test_a_second_attempt_writes_the_same_bytes(tmp_path):
    """A retry on another day publishes the same artifact."""
    words = [["pie", "cake", "oven"], ["pie", "oven"], ["cake", "pie"]]
    contents = []
    for attempt in ("first", "second"):
        (tmp_path / attempt).mkdir()
        _, out = worked(tmp_path / attempt, words, [None] * 3, dim=8)
        contents.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert contents[0] == contents[1]


def test_the_matrix_opens_what_the_stage_wrote(tmp_path):
    """The text columns of the feature matrix are the file's rows."""
    _, out = worked(tmp_path, [["pie", "cake"], ["pie", "cake"]], [None] * 2, dim=8)
    np.save(out / "visual.npy", np.zeros((2, 3), dtype=np.float32))
    np.save(out / "has_picture.npy", np.zeros(2, dtype=np.bool_))
    np.save(out / "spectral.npy", np.zeros((2, 0), dtype=np.float32))
    np.save(out / "has_saves.npy", np.array([True, False]))
    np.save(out / "log_degree.npy", np.array([1, 0], dtype=np.float32))
    features = FeatureMatrix.open(dict.fromkeys(FEATURE_STAGES, out))
    rows = features.only("text", "has_text").rows(np.array([1], dtype=np.int32))
    assert np.array_equal(rows[0], [*np.load(out / "text.npy")[1], 1])
