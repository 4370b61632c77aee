"""The served model answers related pins, and one bad row spoils no other."""

import shutil

import numpy as np
import pandas as pd
import pytest
from mlflow import pyfunc

from pinsage.errors import ArtifactDamagedError
from pinsage.index.build import IndexPlan
from pinsage.index.pin_index import PinIndex
from pinsage.serving import DEFAULT_K, ModelParts, save_model

PIN_IDS = ["ant", "bee", "cat", "dog", "eel", "fox"]
ANGLES = np.radians([0, 10, 30, 90, 100, 180])  # on a circle the nearest pins are plain to see


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A saved model of six pins on a circle."""
    root = tmp_path_factory.mktemp("model")
    index, network = root / "index", root / "network"
    index.mkdir()
    network.mkdir()
    (network / "model.json").write_text("{}")
    embeddings = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1).astype(np.float32)
    PinIndex.build(embeddings, np.zeros(6, np.float32), index, IndexPlan(num_trees=5))
    titles = [f"The {pin_id}" for pin_id in PIN_IDS]
    save_model(root / "saved", ModelParts(index=index, network=network, pin_ids=PIN_IDS, titles=titles))
    return root / "saved"


@pytest.fixture(scope="module")
def model(folder):
    """The model as a serving process loads it."""
    return pyfunc.load_model(str(folder))


def ids(answer) -> list[str]:
    return [related["pin_id"] for related in answer["related"]]


def test_the_nearest_pins_come_back_with_titles_and_cosines(model):
    """The neighbors of the ant lie 10 and 30 degrees away."""
    [answer] = model.predict(pd.DataFrame({"pin_id": ["ant"], "k": [2]}))
    assert (answer["pin_id"], answer["error"]) == ("ant", None)
    assert [(one["pin_id"], one["title"]) for one in answer["related"]] == [("bee", "The bee"), ("cat", "The cat")]
    scores = [one["score"] for one in answer["related"]]
    assert scores == pytest.approx(np.cos(np.radians([10, 30])), abs=1e-4)


def test_an_unknown_pin_is_an_error_of_its_row_alone(model):
    """The row says which ids look alike; its neighbors in the batch are answered."""
    answers = model.predict(pd.DataFrame({"pin_id": ["ant", "beee", "dog"], "k": [1, 1, 1]}))
    assert [ids(answer) for answer in answers] == [["bee"], [], ["eel"]]
    assert [answer["error"] is None for answer in answers] == [True, False, True]
    assert "Did you mean 'bee'" in answers[1]["error"]


@pytest.mark.parametrize("k", [0, -3, 10**6, 2.5, float("inf"), "ten"])
def test_an_impossible_k_is_an_error_of_its_row_alone(model, k):
    """The limits are named."""
    answers = model.predict(pd.DataFrame({"pin_id": ["ant", "ant"], "k": [k, 1]}))
    assert "1 to 1000" in answers[0]["error"]
    assert ids(answers[1]) == ["bee"]


def test_k_may_be_left_out(model):
    """Ten pins are asked for then, and a catalog of six has five others."""
    [answer] = model.predict(pd.DataFrame({"pin_id": ["fox"]}))
    assert len(answer["related"]) == min(DEFAULT_K, len(PIN_IDS) - 1)


def test_k_may_be_left_out_of_one_row(model):
    """The other row keeps its own."""
    answers = model.predict(pd.DataFrame({"pin_id": ["ant", "ant"], "k": [None, 1]}))
    assert [len(answer["related"]) for answer in answers] == [5, 1]


@pytest.mark.parametrize("pin_id", [None, ["ant"]])
def test_a_pin_id_that_is_no_text_is_an_error_of_its_row_alone(model, pin_id):
    """It is not looked up as the text that Python would make of it."""
    answers = model.predict(pd.DataFrame({"pin_id": [pin_id, "ant"], "k": [1, 1]}))
    assert "not a text" in answers[0]["error"]
    assert ids(answers[1]) == ["bee"]


def test_no_rows_are_no_answers(model):
    """An empty batch is no error."""
    assert model.predict(pd.DataFrame({"pin_id": pd.Series([], dtype=str)})) == []


def test_the_model_holds_code_and_weights_but_no_pickle(folder):
    """It is made of code, tables, the index and the network; its requirements are pinned and leave torch out."""
    assert not [path for path in folder.rglob("*") if path.suffix in {".pkl", ".pickle"}]
    assert (folder / "serving.py").is_file()
    assert {"index.ann", "index.json", "model.json", "pins.parquet"} <= {path.name for path in folder.rglob("*")}
    requirements = (folder / "requirements.txt").read_text().split()
    assert all("==" in line for line in requirements)
    assert not [line for line in requirements if line.startswith("torch")]


def test_a_damaged_index_is_refused_when_the_model_is_loaded(folder, tmp_path):
    """A flipped byte in the index stops the serving process instead of giving wrong answers."""
    damaged = shutil.copytree(folder, tmp_path / "damaged")
    [index] = damaged.rglob("index.ann")
    content = bytearray(index.read_bytes())
    content[len(content) // 2] ^= 1
    index.write_bytes(content)
    with pytest.raises(ArtifactDamagedError):
        pyfunc.load_model(str(damaged))
