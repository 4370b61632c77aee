"""A new pin asks as it does after a refresh over tables that hold it: served by MLflow, or from a release."""

import shutil

import evaluation_world
import numpy as np
import pandas as pd
import pytest
from mlflow import pyfunc
from new_pin_world import picture
from refresh_world import add_pin, champion, current, refresh, train_and_release, vectors

from pinsage.serving.new_pins import NewPin
from pinsage.tracking.server import Server
from tasks.embed import embed
from tasks.promoting.approval import promoted_model

TOLERANCE = 1e-5  # numpy here and torch there, and sums of float32 over other chunks of pins
CONTENTS = [
    {"title": "Forest path", "annotations": ["forest", "tree"], "image": picture()},
    {"title": "Title 7", "description": "The SEA, a wave and w7.", "link": "https://wave.example.com/1"},
    {"image": picture((20, 40, 210), "JPEG")},
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model that was trained, registered and released, with popularity in its scores."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation_world, "_embed", embed)
        patch.setitem(evaluation_world.SMALL, "model.popularity", 0.05)
        return train_and_release(tmp_path_factory.mktemp("new-pins"))


@pytest.fixture(scope="module")
def refreshed(trained, tmp_path_factory):
    """A copy of it, refreshed over tables in which nobody has saved three new pins, and the run of that."""
    folder = shutil.copytree(trained, tmp_path_factory.mktemp("refreshed") / "copy")
    for number, content in enumerate(CONTENTS):
        add_pin(folder / "data", f"pin-{10 * number}-new", **content)
    return folder / "home", refresh(folder / "home", folder / "data")


@pytest.fixture(scope="module")
def model(trained):
    """The model of the training as a serving process loads it."""
    run = champion(trained / "home")
    found, server = promoted_model(run), Server(run.settings.tracking, trained / "home")
    return pyfunc.load_model(server.client.get_model_version(found.name, str(found.number)).source)


@pytest.mark.parametrize("number", range(len(CONTENTS)))
def test_a_new_pin_has_the_embedding_that_a_refresh_gives_it(trained, refreshed, number):
    """Words and picture, words alone, a picture alone."""
    expected = vectors(*refreshed)[f"pin-{10 * number}-new"]
    found = current(trained / "home").embed_new_pin(NewPin(**CONTENTS[number]))
    np.testing.assert_allclose(found, expected, atol=TOLERANCE)


@pytest.mark.parametrize("number", range(len(CONTENTS)))
def test_a_new_pin_has_the_neighbors_that_it_has_after_a_refresh(trained, refreshed, model, number):
    """The same pins in the same order with the same scores, by the registered model and by the release of before."""
    others = [f"pin-{10 * other}-new" for other in range(len(CONTENTS))]
    after = current(refreshed[0]).related(f"pin-{10 * number}-new", 12)
    expected = [(name, score) for name, score in zip(after.pin_ids, after.scores, strict=True) if name not in others]
    [served] = model.predict(pd.DataFrame([{**CONTENTS[number], "k": len(expected)}]))
    released = current(trained / "home").related_to_new_pin(NewPin(**CONTENTS[number]), len(expected))
    answers = [[(one["pin_id"], one["score"]) for one in served["related"]]]
    answers.append(list(zip(released.pin_ids, released.scores, strict=True)))
    for answer in answers:
        assert [name for name, _ in answer] == [name for name, _ in expected]
        np.testing.assert_allclose([score for _, score in answer], [score for _, score in expected], atol=TOLERANCE)


def test_popularity_is_part_of_the_scores(trained):
    """Else the tests above would not see it left out."""
    assert np.load(next((trained / "home/artifacts/embed").glob("*/popularity.npy"))).any()


def test_the_model_names_the_index_that_the_release_names(trained, model):
    """Whoever asks either can tell that they answer from the same index."""
    [served] = model.predict(pd.DataFrame([CONTENTS[0]]))
    assert served["version"] == current(trained / "home").facts["index_key"]


def test_content_decides(trained):
    """The tests above can fail: without its picture the first pin has another embedding."""
    release, content = current(trained / "home"), CONTENTS[0]
    with_picture, without = (release.embed_new_pin(NewPin(**{**content, "image": image}))
                             for image in (content["image"], None))  # fmt: skip
    assert np.abs(with_picture - without).max() > 100 * TOLERANCE
