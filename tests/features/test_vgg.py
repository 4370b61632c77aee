"""VGG-16 up to fc6, with random weights: the real ones are half a gigabyte and belong to their publishers."""

import re

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch.nn import functional

from pinsage.errors import SettingsError
from pinsage.features.vgg import WIDTHS, Vgg16, VggEncoder, load_weights
from pinsage.features.visual import picture_encoder
from pinsage.settings.schema import VisualSettings

NARROW = tuple(tuple(4 for _ in block) for block in WIDTHS)


def narrow(seed: int = 0) -> Vgg16:
    """All thirteen convolutions, four channels wide, on pictures of 32 x 32 pixels."""
    torch.manual_seed(seed)
    return Vgg16(NARROW, fc6=6, side=32)


def pictures(count: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)


def test_the_full_network_has_the_published_layers():
    """Names, shapes and the number of weights up to fc6 are those of torchvision's vgg16 (on no memory at all)."""
    with torch.device("meta"):
        network = Vgg16()
    state = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    assert len(state) == 28
    assert state["features.0.weight"] == (64, 3, 3, 3)
    assert state["features.10.weight"] == (256, 128, 3, 3)
    assert state["features.28.bias"] == (512,)
    assert state["classifier.0.weight"] == (4096, 25088)
    assert sum(np.prod(shape) for shape in state.values()) == 14_714_688 + 25_088 * 4096 + 4096


def test_fc6_equals_the_layers_applied_one_by_one():
    """Convolve and cut thirteen times, halve five times, then the dense layer and its ReLU."""
    network, x = narrow(), torch.rand(2, 3, 32, 32)
    state, layer, expected = network.state_dict(), 0, x
    for block in NARROW:
        for _ in block:
            weight, bias = state[f"features.{layer}.weight"], state[f"features.{layer}.bias"]
            expected, layer = torch.relu(functional.conv2d(expected, weight, bias, padding=1)), layer + 2
        expected, layer = functional.max_pool2d(expected, 2), layer + 1
    expected = torch.relu(expected.flatten(1) @ state["classifier.0.weight"].T + state["classifier.0.bias"])
    torch.testing.assert_close(network(x), expected)


def test_pictures_are_normalized_as_imagenet_was():
    """The encoder is the network on (pixel / 255 - mean) / deviation of each color."""
    network = narrow()
    pixels = pictures().astype(np.float32) / 255
    normal = (pixels - np.float32([0.485, 0.456, 0.406])) / np.float32([0.229, 0.224, 0.225])
    expected = network(torch.from_numpy(normal.transpose(0, 3, 1, 2))).detach().numpy()
    vectors = VggEncoder(network, name="narrow").encode(pictures())
    assert vectors.dtype == np.float32
    assert vectors.shape == (3, 6)
    np.testing.assert_allclose(vectors, expected, rtol=1e-5, atol=1e-6)


def test_the_middle_of_a_picture_is_looked_at():
    """Seven eighths of the shorter side, of a wide picture, a tall one and one that is hardly a line."""
    encoder = VggEncoder(narrow(), name="narrow")
    wide = Image.new("RGB", (300, 100), "white")
    wide.paste("black", (110, 10, 190, 90))
    assert encoder.pixels(wide)[4:28, 4:28].max() == 0
    assert encoder.pixels(wide)[0].min() == 255
    assert encoder.pixels(Image.new("RGB", (1, 5000))).shape == (32, 32, 3)


@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
def test_weights_of_either_kind_of_file_are_taken_over(tmp_path, ending):
    """A file written by one network makes another one equal; layers above fc6 in it do not matter."""
    source, path = narrow(seed=1), tmp_path / f"weights{ending}"
    state = {**source.state_dict(), "classifier.3.weight": torch.zeros(2, 2)}
    save_file(state, path) if ending == ".safetensors" else torch.save(state, path)
    network = narrow(seed=2)
    load_weights(network, path)
    x = torch.rand(1, 3, 32, 32)
    assert torch.equal(network(x), source(x))


def edited(key: str, tensor: torch.Tensor | None) -> dict[str, torch.Tensor]:
    """The weights with one tensor taken out or replaced."""
    state = dict(narrow().state_dict())
    state.pop(key)
    return state if tensor is None else {**state, key: tensor}


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (edited("features.2.bias", None), "no tensor 'features.2.bias'"),
        (edited("features.2.bias", torch.zeros(9)), r"'features.2.bias' of shape \[9\] where \[4\] is needed"),
        (edited("features.2.bias", torch.full((4,), torch.nan)), "NaN or infinite"),
        ([1, 2], "hold a list"),
        ({"features.0.weight": print}, "hold something else than tensors"),
    ],
)
def test_weights_that_do_not_fit_are_explained(tmp_path, content, fact):
    """The first tensor that is wrong is named with both shapes; a file that would run code is refused."""
    torch.save(content, tmp_path / "weights.pth")
    with pytest.raises(SettingsError, match=fact):
        load_weights(narrow(), tmp_path / "weights.pth")


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors", "missing.pth"])
def test_a_file_that_is_no_weights_is_explained(tmp_path, name):
    """Some other bytes, or no file at all."""
    if name != "missing.pth":
        (tmp_path / name).write_bytes(b"<html>not found</html>" * 9)
    with pytest.raises(SettingsError, match=r"cannot be read as weights|hold something else than tensors") as caught:
        load_weights(narrow(), tmp_path / name)
    assert "weights_only" not in str(caught.value)  # PyTorch advises to run what is in the file


def test_the_settings_choose_vgg_and_its_name_follows_the_weights(tmp_path, monkeypatch):
    """The encoder of the settings computes what the file's network computes; other weights are another cache."""
    monkeypatch.setattr("pinsage.features.vgg.Vgg16", narrow)
    encoders = []
    for seed in (1, 2):
        path = tmp_path / f"{seed}.pth"
        torch.save(narrow(seed).state_dict(), path)
        encoders.append(picture_encoder(VisualSettings(encoder="vgg16", weights=str(path))))
    expected = VggEncoder(narrow(1), name="narrow").encode(pictures())
    assert np.array_equal(encoders[0].encode(pictures()), expected)
    assert encoders[0].name != encoders[1].name
    assert all(re.fullmatch(r"vgg16-1-[0-9a-f]{16}", encoder.name) for encoder in encoders)
