"""The served model answers related pins, and one bad row spoils no other."""

import base64
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from mlflow import pyfunc
from new_pin_world import bomb, picture, write_network, write_words

from pinsage.errors import ArtifactDamagedError, InputError
from pinsage.index.build import IndexPlan
from pinsage.index.pin_index import PinIndex
from pinsage.serving.query_row import DEFAULT_K
from pinsage.serving.served_model import ModelParts, save_model
from pinsage.settings.loading import load_settings

PIN_IDS = ["ant", "bee", "cat", "dog", "eel", "fox"]
ANGLES = np.radians([0, 10, 30, 90, 100, 180])  # on a circle the nearest pins are plain to see


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A saved model of six pins on a circle."""
    root = tmp_path_factory.mktemp("model")
    save_model(root / "saved", parts(root))
    return root / "saved"


def parts(root, *, dim: int = 2) -> ModelParts:
    """The parts of the model, made in a folder, where the network makes embeddings of size `dim`."""
    for name in ("index", "network", "words"):
        (root / name).mkdir()
    embeddings = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1).astype(np.float32)
    PinIndex.build(embeddings, np.zeros(6, np.float32), root / "index", IndexPlan(num_trees=5))
    write_network(root / "network", dim)
    write_words(root / "words")
    titles = [f"The {pin_id}" for pin_id in PIN_IDS]
    folders = {name: root / name for name in ("index", "network", "words")}
    return ModelParts(**folders, settings=load_settings(), version="index-key", pin_ids=PIN_IDS, titles=titles)


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


@pytest.mark.parametrize("pin_id", [7, ["ant"], True])
def test_a_pin_id_that_is_no_text_is_an_error_of_its_row_alone(model, pin_id):
    """It is not looked up as the text that Python would make of it."""
    answers = model.predict(pd.DataFrame({"pin_id": [pin_id, "ant"], "k": [1, 1]}))
    assert "not a text" in answers[0]["error"]
    assert ids(answers[1]) == ["bee"]


@pytest.mark.parametrize("pin_id", [None, float("nan"), ""])
def test_a_row_of_nothing_is_an_error_of_its_row_alone(model, pin_id):
    """No pin and no content: the sentence says what can be given."""
    answers = model.predict(pd.DataFrame({"pin_id": [pin_id, "ant"], "k": [1, 1]}))
    assert answers[0]["error"].startswith("The row has no pin_id and no content. Give")
    assert ids(answers[1]) == ["bee"]


def test_every_answer_names_the_index_that_gave_it(model):
    """Errors too: a caller can tell which model did not know a pin."""
    answers = model.predict(pd.DataFrame({"pin_id": ["ant", "nobody"]}))
    assert [answer["version"] for answer in answers] == ["index-key", "index-key"]


@pytest.mark.parametrize("content", [{"title": "sea"}, {"annotations": ["tree"]}, {"image": picture()}])
def test_a_new_pin_is_answered_by_its_content(model, content):
    """Beside a known one, with or without a pin_id of its own; the best of the catalog, by falling score."""
    rows = [{"pin_id": "ant", "k": 2}, {"k": 3, **content}, {"k": 3, "pin_id": "newcomer", **content}]
    known, new, named = model.predict(pd.DataFrame(rows))
    assert [(answer["pin_id"], answer["is_new"]) for answer in (known, new, named)] == [
        ("ant", False), (None, True), ("newcomer", True),
    ]  # fmt: skip
    assert [answer["error"] for answer in (known, new, named)] == [None] * 3
    assert ids(known) == ["bee", "cat"]
    assert new["related"] == named["related"]
    scores = [related["score"] for related in new["related"]]
    assert (len(scores), scores) == (3, sorted(scores, reverse=True))


def test_an_image_may_come_in_base64(model):
    """As JSON has to send it, with line breaks or without."""
    encoded = base64.encodebytes(picture()).decode()
    rows = pd.DataFrame([{"image": picture()}, {"image": encoded}, {"image": encoded.replace("\n", "")}])
    first, *others = model.predict(rows)
    assert first["error"] is None
    assert all(other == first for other in others)


def test_a_known_pin_is_answered_as_published_whatever_content_comes_with_it(model):
    """Its saves are in its embedding; what its row says of it waits for the next refresh."""
    alone, with_content = model.predict(pd.DataFrame([{"pin_id": "ant"}, {"pin_id": "ant", "title": "sea"}]))
    assert alone == with_content
    assert not with_content["is_new"]


def test_excluded_pins_are_left_out_and_the_next_best_move_up(model):
    """As many come back as were asked for; ids that nobody knows have nothing to leave out."""
    rows = [{"pin_id": "ant", "k": 2, "exclude": ["bee", "nobody"]}, {"pin_id": "ant", "k": 2, "exclude": "cat"}]
    assert [ids(answer) for answer in model.predict(pd.DataFrame(rows))] == [["cat", "dog"], ["bee", "dog"]]
    [new] = model.predict(pd.DataFrame([{"title": "sea", "k": 6, "exclude": ["ant"]}]))
    assert sorted(ids(new)) == PIN_IDS[1:]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"title": "zyzzyva"}, "no picture and no word that the model knows"),
        ({"title": 7}, "title is 7, not a text"),
        ({"image": b"no picture"}, "The image cannot be read"),
        ({"title": "sea", "image": bomb()}, "The image cannot be read"),
        ({"title": "sea", "image": picture()[:60]}, "The image cannot be read"),
        ({"image": "no base64!"}, "not in base64"),
        ({"image": [1, 2]}, "The image is [1, 2]"),
        ({"annotations": 7}, "annotations is 7, not a list of texts"),
        ({"annotations": ["sea", 7]}, "annotations holds 7, which is not a text"),
        ({"title": "sea", "exclude": {"ant": 1}}, "exclude is {'ant': 1}, not a list"),
        ({"title": "sea", "exclude": PIN_IDS}, "No pin is left: exclude names 6 of 6"),
        ({"pin_id": "ant", "exclude": PIN_IDS[1:]}, "No pin is left: exclude names 5 of 6"),
        ({"title": "sea", "exclude": [str(number) for number in range(10_001)]}, "10,000 at most"),
        ({"title": "sea", "k": 0}, "1 to 1000"),
        ({"title": "sea", "k": True}, "1 to 1000"),
    ],
)
def test_a_bad_row_is_a_sentence_and_the_others_are_answered(model, row, words):
    """The row before it and the one after it come back in full; columns are objects, as those of a request are."""
    rows = [{"pin_id": "ant", "k": 2}, row, {"annotations": ["sea"], "k": 2}]
    answers = model.predict(pd.DataFrame(rows, dtype=object))
    assert words in answers[1]["error"]
    assert (answers[1]["related"], answers[1]["is_new"]) == ([], False)
    assert [len(answers[place]["related"]) for place in (0, 2)] == [2, 2]


def test_a_network_of_another_size_than_the_index_is_refused(tmp_path):
    """Before anything is registered."""
    with pytest.raises(InputError, match="size 3 and the index holds embeddings of size 2"):
        save_model(tmp_path / "saved", parts(tmp_path, dim=3))


def test_no_rows_are_no_answers(model):
    """An empty batch is no error."""
    assert model.predict(pd.DataFrame({"pin_id": pd.Series([], dtype=str)})) == []


def test_the_model_holds_code_and_weights_but_no_pickle(folder):
    """It is made of code, tables, the index and the network; its requirements are pinned and leave torch out."""
    assert not [path for path in folder.rglob("*") if path.suffix in {".pkl", ".pickle"}]
    assert (folder / "served_model.py").is_file()
    assert {"index.ann", "index.json", "model.json", "words.npy", "pins.parquet"} <= {
        path.name for path in folder.rglob("*")
    }
    requirements = (folder / "requirements.txt").read_text().split()
    assert all("==" in line for line in requirements)
    assert not [line for line in requirements if line.startswith("torch")]


NAMES = ("index.ann", "pins.parquet", "model.safetensors", "words.npy", "vocabulary.parquet", "manifest.json")


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_file_is_refused_when_the_model_is_loaded(folder, tmp_path, name):
    """A flipped bit stops the serving process instead of giving wrong answers."""
    damaged = shutil.copytree(folder, tmp_path / "damaged")
    [path] = damaged.rglob(name)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactDamagedError):
        pyfunc.load_model(str(damaged))


def test_serving_loads_no_torch(folder):
    """A fresh process answers a new pin by words and by picture without it."""
    program = (
        "import sys\nimport pandas as pd\nfrom mlflow import pyfunc\n"
        f"model = pyfunc.load_model({str(folder)!r})\n"
        f"[answer] = model.predict(pd.DataFrame([{{'title': 'sea', 'image': {picture()!r}}}]))\n"
        "assert answer['related'] and answer['error'] is None, answer\n"
        "assert not {'torch', 'gensim', 'numba'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
