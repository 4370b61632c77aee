"""Embeddings of new pins: read as a catalog would read them, and refused in a sentence."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from new_pin_world import bomb, picture, write_network, write_words

from pinsage.errors import ArtifactDamagedError, InputError, SettingsError
from pinsage.features.text import WordVectors
from pinsage.features.visual import encode_pictures, picture_encoder
from pinsage.model.file import save_network
from pinsage.serving.new_pins import NewPin, NewPinEncoder
from pinsage.settings.loading import load_settings, save_settings

DIM = 5
CAPS = {"data.max_text_length": 12, "data.max_annotations": 2, "text.max_words": 4, "data.max_picture_mb": 0.001}


def encoder(folder, *, digest: str = "descriptor-1", dim: int = DIM, **overrides) -> NewPinEncoder:
    """The encoder in a folder that its parts are written to."""
    write_network(folder, DIM)
    write_words(folder)
    save_settings(load_settings(overrides=overrides), folder / "settings.yaml")
    return NewPinEncoder.open(folder, dim=dim, picture_digest=digest)


def test_the_embedding_is_the_network_s_for_the_words_and_the_picture(tmp_path):
    """By the path of the pipeline: features by the stages' code, the network's own dense layers, no neighbors."""
    found = encoder(tmp_path).embed(NewPin(title="Sea", annotations=["wave"], image=picture()))
    network, words = write_network(tmp_path, DIM), WordVectors.open(tmp_path)
    visual = encode_pictures([picture()], picture_encoder(load_settings().visual), max_megapixels=1).vectors[0]
    features = np.concatenate([visual, [1], words.vectors[:2].mean(axis=0), [1], np.zeros(5)]).astype(np.float32)
    with torch.inference_mode():
        hidden = network.standardize(torch.from_numpy(features)[None])
        expected = network.head(network.convolution(0).update(hidden, torch.zeros(1, 16)))[0]
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("pin", "same"),
    [
        (NewPin(annotations="sea, wave"), NewPin(annotations=["sea", "wave"])),
        (NewPin(annotations=["", " sea ", "wave", "tree"]), NewPin(annotations=["sea", "wave"])),
        (NewPin(annotations="sea,tree,xyzw,wave"), NewPin(annotations=["sea", "tree"])),
        (NewPin(title="a b c d sea tree"), NewPin(title="sea")),
        (NewPin(description="xx yy zz sea sea"), NewPin(description="sea")),
        (NewPin(link="https://www.etsy.com/listing/1"), NewPin(annotations=["etsy"])),
        (NewPin(title="tree \ud800"), NewPin(title="tree")),
    ],
)
def test_words_are_read_as_ingest_and_the_text_features_read_them(tmp_path, pin, same):
    """Lists and texts with commas, trimmed and cut; a title of 12 characters, two annotations, four words at most."""
    found = encoder(tmp_path, **{**CAPS, "data.max_text_length": 30 if pin.link else 12})
    np.testing.assert_array_equal(found.embed(pin), found.embed(same))


@pytest.mark.parametrize(
    ("pin", "words"),
    [
        (NewPin(), "no picture and no word that the model knows"),
        (NewPin(title="zyzzyva"), "no picture and no word that the model knows"),
        (NewPin(image=b"no picture"), "not a JPEG, PNG, WebP or GIF"),
        (NewPin(title="sea", image=bomb()), "exceeds"),
        (NewPin(title="sea", image=picture()[:60]), "The image cannot be read"),
        (NewPin(title="sea", image=bytes(1500)), "has 0.0015 MB, and 0.001 MB are read at most"),
    ],
)
def test_what_cannot_be_embedded_is_refused_in_a_sentence(tmp_path, pin, words):
    """Also a picture that lies about its size, before any pixel of it is decoded."""
    found = encoder(tmp_path, **{"data.max_picture_mb": 0.001})
    with pytest.raises(InputError, match=words):
        found.embed(pin)


def test_content_that_leaves_no_direction_is_refused(tmp_path):
    """ReLU of a head without weights is zero, whatever the pin says."""
    encoder(tmp_path)
    network = write_network(tmp_path, DIM)
    with torch.no_grad():
        network.head_output.weight.zero_()
    save_network(network, tmp_path)
    with pytest.raises(InputError, match="no direction"):
        NewPinEncoder.open(tmp_path, dim=DIM, picture_digest="").embed(NewPin(title="sea"))


def test_parts_that_do_not_fit_are_refused_when_they_are_opened(tmp_path):
    """A model of another size than the index, words of another size than the model reads, a network of NaN."""
    with pytest.raises(InputError, match="size 5 and the index holds embeddings of size 6"):
        encoder(tmp_path, dim=6)
    write_network(tmp_path, DIM, word_size=7)
    with pytest.raises(InputError, match="word vectors of size 7 and these have size 4"):
        NewPinEncoder.open(tmp_path, dim=DIM, picture_digest="")
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(ArtifactDamagedError, match="cannot be read"):
        NewPinEncoder.open(tmp_path, dim=DIM, picture_digest="")


def test_pictures_need_the_encoder_of_the_training_and_words_do_not(tmp_path):
    """Other weights would make noise of a picture."""
    found = encoder(tmp_path, digest="descriptor-0")
    assert found.embed(NewPin(title="sea")).any()
    with pytest.raises(SettingsError, match="descriptor-0, and here the encoder is descriptor-1"):
        found.embed(NewPin(image=picture()))


def test_no_torch_is_loaded(tmp_path):
    """A serving host embeds words and a picture without it."""
    encoder(tmp_path)
    program = (
        "import sys\nfrom pathlib import Path\nfrom pinsage.serving.new_pins import NewPin, NewPinEncoder\n"
        f"found = NewPinEncoder.open(Path({str(tmp_path)!r}), dim={DIM}, picture_digest='')\n"
        f"assert found.embed(NewPin(title='sea', image={picture()!r})).any()\n"
        "assert not {'torch', 'mlflow', 'gensim', 'numba'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
