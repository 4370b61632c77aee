"""A picture as the fc6 layer of VGG-16 sees it: the visual feature of the paper, with weights from a local file.

Written in plain torch; the names of the layers are torchvision's, so that its published weights fit.
Letters: N pictures.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from pinsage.errors import SettingsError
from pinsage.store.machine import is_machine_fault

SIDE = 224
WIDTHS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
FC6 = 4096
_MEAN = (0.485, 0.456, 0.406)  # of ImageNet, in red, green and blue
_DEVIATION = (0.229, 0.224, 0.225)
_CENTER = 224 / 256  # the share of the shorter side that is looked at


class Vgg16(nn.Module):
    """VGG-16 up to fc6 and its ReLU (Simonyan and Zisserman, 2015, configuration D)."""

    def __init__(self, widths: Sequence[Sequence[int]] = WIDTHS, *, fc6: int = FC6, side: int = SIDE) -> None:
        """Make the layers.

        Args:
            widths: for each halving of the side, the channels of the convolutions before it.
            fc6: the width of the dense layer, which is the encoder's dimension.
            side: the pixels of a picture's width and height.
        """
        super().__init__()
        self.dim, self.side = fc6, side
        layers: list[nn.Module] = []
        channels = 3
        for block in widths:
            for width in block:
                layers += [nn.Conv2d(channels, width, kernel_size=3, padding=1), nn.ReLU(inplace=True)]
                channels = width
            layers.append(nn.MaxPool2d(kernel_size=2))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Linear(channels * (side >> len(widths)) ** 2, fc6), nn.ReLU(inplace=True))

    def forward(self, pictures: Tensor) -> Tensor:
        """fc6 after its ReLU: float [N, 3, side, side] -> [N, fc6]."""
        activations: Tensor = self.classifier(self.features(pictures).flatten(1))
        return activations


class VggEncoder:
    """The encoder around a `Vgg16`; on a GPU where there is one.

    The vectors of a picture can differ in the last bits with the device and the size of the batch.

    Source: PinSage §4.1.
    """

    side = 256

    def __init__(self, network: Vgg16, *, name: str) -> None:
        self.name = name
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._network = network.eval().to(self._device)
        self.dim = network.dim

    def pixels(self, image: Image.Image) -> NDArray[np.uint8]:
        """The middle of the picture, as in VGG's own evaluation: uint8 [224, 224, 3]."""
        reach = min(image.size) * _CENTER / 2
        x, y = image.width / 2, image.height / 2
        box = (x - reach, y - reach, x + reach, y + reach)
        size = (self._network.side, self._network.side)
        return np.asarray(image.resize(size, Image.Resampling.BILINEAR, box=box))

    @torch.inference_mode()
    def encode(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """fc6 of each picture: uint8 [N, 224, 224, 3] -> float32 [N, 4096]."""
        pixels = torch.from_numpy(pictures).to(self._device).permute(0, 3, 1, 2).float() / 255  # [N, 3, 224, 224]
        mean, deviation = (torch.tensor(of, device=self._device).view(3, 1, 1) for of in (_MEAN, _DEVIATION))
        activations: NDArray[np.float32] = self._network((pixels - mean) / deviation).cpu().numpy()
        return activations


def load_weights(network: Vgg16, path: Path) -> None:
    """Fill `network` from a file in torchvision's layout; layers above fc6 in the file are left out.

    Args:
        network: the layers to fill.
        path: a `.safetensors` file, or a `.pth` file of tensors alone (nothing in it is executed).

    Raises:
        SettingsError: the file is missing or is no such file, or lacks a layer, or a layer has another shape.
    """
    found = _state(path)
    for key, tensor in network.state_dict().items():
        if not isinstance(found.get(key), Tensor):
            raise _wrong(path, f"have no tensor '{key}'")
        if found[key].shape != tensor.shape:
            raise _wrong(path, f"have '{key}' of shape {list(found[key].shape)} where {list(tensor.shape)} is needed")
        if not torch.isfinite(found[key]).all():
            raise _wrong(path, f"have numbers in '{key}' that are NaN or infinite")
    network.load_state_dict({key: found[key] for key in network.state_dict()})


def _state(path: Path) -> dict[str, Any]:
    import pickle

    from safetensors.torch import load_file

    try:
        state = (
            load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except pickle.UnpicklingError:  # PyTorch's own advice is to load it all the same, and so to run what is in it
        raise _wrong(path, "hold something else than tensors") from None
    except Exception as error:  # on bytes that are no weights PyTorch raises whatever its steps do
        if is_machine_fault(error):
            raise
        fact = str(error).partition("\n")[0][:200] or type(error).__name__
        raise _wrong(path, f"cannot be read as weights ({fact!a})") from None
    if not isinstance(state, dict):
        raise _wrong(path, f"hold a {type(state).__name__}, not a mapping of tensors")
    return state


def _wrong(path: Path, fact: str) -> SettingsError:
    return SettingsError(
        f"The VGG-16 weights {path} {fact}. Let visual.weights name the state dict of torchvision's vgg16, as .pth or "
        ".safetensors."
    )
