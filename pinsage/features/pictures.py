"""From the bytes of a picture that somebody else made to plain RGB pixels, or a reason why not."""

import io
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image, UnidentifiedImageError

from pinsage.errors import InputError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# What Pillow's decoders raise on bytes that are no picture, found by reading them and by flipping bits.
_DECODING_ERRORS = (
    OSError, SyntaxError, ValueError, EOFError, TypeError, LookupError, AttributeError, ArithmeticError, MemoryError,
    struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip

_ONE_AT_A_TIME = threading.Lock()


class UnreadablePictureError(InputError):
    """The bytes are no whole picture of a kind and size that is read."""


def decode(picture: bytes, *, side: int, max_megapixels: float) -> Image.Image:
    """The picture, upright, in RGB, transparent parts on white; of an animation the first frame.

    A large JPEG is decoded at the smallest of its own scales that is still `side` pixels wide and high, which is most
    of the speed. An unreadable note of the camera (EXIF) means upright, as it does in browsers.

    Args:
        picture: an encoded JPEG, PNG, WebP or GIF.
        side: the pixels that will be wanted of it in width and height.
        max_megapixels: a larger picture is refused before it is decoded.

    Raises:
        UnreadablePictureError: it is of another format, too large, damaged or cut short.
    """
    with _limit_pixels(max_megapixels):
        try:
            image = Image.open(io.BytesIO(picture), formats=FORMATS)
            _check_size(image, max_megapixels)
            image.draft("RGB", (side, side))
            image.load()
            return _turn(_opaque(image), _orientation(image))
        except _DECODING_ERRORS as error:
            reason = "not a JPEG, PNG, WebP or GIF" if isinstance(error, UnidentifiedImageError) else error
            raise UnreadablePictureError(f"{reason}"[:200] or type(error).__name__) from None


@contextmanager
def _limit_pixels(max_megapixels: float) -> Iterator[None]:
    """Let Pillow refuse what is far above the limit, and not say on stderr what a reason will say.

    Its limit and Python's warnings are the whole process's, so one picture at a time is decoded, whichever threads ask.
    """
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, round(max_megapixels * 1e6)
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def _check_size(image: Image.Image, max_megapixels: float) -> None:
    """Refuse a picture by its header: Pillow only warns up to twice its limit, and other threads may silence that."""
    if image.width * image.height > round(max_megapixels * 1e6):
        raise Image.DecompressionBombError(
            f"it is {image.width:,} x {image.height:,} pixels, which exceeds the limit of {max_megapixels:g} megapixels"
        )


def _opaque(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        colors = image.convert("RGBA")
        opaque = Image.alpha_composite(Image.new("RGBA", image.size, "white"), colors).convert("RGB")
    elif image.mode.startswith("I;16"):  # Pillow would cut 16 bits off at 255 instead of scaling them
        opaque = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    else:
        opaque = image.convert("RGB")
    return opaque


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except _DECODING_ERRORS:
        return 1


def _turn(image: Image.Image, orientation: int) -> Image.Image:
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)
