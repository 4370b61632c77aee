"""The encoders of pictures behind one small protocol, and pictures through an encoder.

Letters: N pictures, D dimension of the encoder.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pinsage.errors import PinSageError, SettingsError
from pinsage.features.descriptor import Descriptor
from pinsage.features.pictures import UnreadablePictureError, decode
from pinsage.settings.schema import Settings, VisualSettings
from pinsage.store.manifest import file_sha256


class Encoder(Protocol):
    """An encoder of pictures: pixels in, vectors out.

    `name` stands for everything that decides the vector: two encoders of one name give a picture the same one. `dim`
    is D. `side` is the pixels of a picture's width and height that it makes use of.
    """

    name: str
    dim: int
    side: int

    def pixels(self, image: Image.Image) -> NDArray[np.uint8]:
        """The part of an RGB picture that is looked at, always of the same shape [height, width, 3]."""
        ...

    def encode(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The vectors of such parts: uint8 [N, height, width, 3] -> float32 [N, D]."""
        ...


@dataclass(frozen=True)
class Encoded:
    """Pictures after an encoder: `vectors` float32 [N, D], zero where `faults` (N strings) is not empty."""

    vectors: NDArray[np.float32]
    faults: list[str]


def picture_encoder(settings: VisualSettings) -> Encoder:
    """The encoder that the settings name, ready to use.

    Raises:
        SettingsError: the weights of vgg16 are missing or do not fit.
    """
    if settings.encoder == "descriptor":
        return Descriptor()
    from pinsage.features import vgg

    path = _weights(settings)
    network = vgg.Vgg16()
    vgg.load_weights(network, path)
    return vgg.VggEncoder(network, name=f"vgg16-1-{_sha256(path)[:16]}")


def encoder_identity(settings: Settings, _home: Path) -> dict[str, str]:
    """The encoder's identity beside its settings: for vgg16 the SHA-256 of the weights, which may change in place.

    The pipeline's data folder is not looked at.

    Raises:
        SettingsError: the file with the weights is missing.
    """
    kind = "encoder" if settings.visual.encoder == "descriptor" else "weights_sha256"
    return {kind: encoder_digest(settings.visual)}


def encoder_digest(settings: VisualSettings) -> str:
    """The mark of an encoder that decides its vectors: the descriptor's name, or the SHA-256 of the weights of vgg16.

    Raises:
        SettingsError: the file with the weights is missing.
    """
    return Descriptor.name if settings.encoder == "descriptor" else _sha256(_weights(settings))


def encode_pictures(pictures: Sequence[bytes], encoder: Encoder, *, max_megapixels: float) -> Encoded:
    """The vectors of encoded pictures, and for each that is unreadable the reason.

    Raises:
        PinSageError: the encoder made NaN or an infinity of a picture.
    """
    readable, faults = [], []
    for picture in pictures:
        try:
            readable.append(encoder.pixels(decode(picture, side=encoder.side, max_megapixels=max_megapixels)))
            faults.append("")
        except UnreadablePictureError as error:
            faults.append(str(error))
    vectors = np.zeros((len(pictures), encoder.dim), dtype=np.float32)  # [n, D]
    if readable:
        vectors[[not fault for fault in faults]] = encoder.encode(np.stack(readable))
    if not np.isfinite(vectors).all():
        raise PinSageError(f"The encoder {encoder.name} gave a vector with NaN or infinity. Check visual.weights.")
    return Encoded(vectors, faults)


def _weights(settings: VisualSettings) -> Path:
    path = Path(settings.weights)
    if not settings.weights or not path.is_file():
        raise SettingsError(
            f"visual.encoder is {settings.encoder}, but visual.weights names no file ('{settings.weights}'). Give the "
            "path of torchvision's vgg16 weights, or set visual.encoder to descriptor."
        )
    return path


def _sha256(path: Path) -> str:
    status = path.stat()
    return _sha256_of_version(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=8)
def _sha256_of_version(path: Path, size_bytes: int, mtime_ns: int) -> str:
    """The SHA-256 of a file. Size and time are part of the question: half a gigabyte is read again if they change."""
    return file_sha256(path)
