"""Small pictures for a page that must not fetch anything: re-encoded and written into the page itself."""

import base64
import io
from dataclasses import dataclass

from PIL import Image, ImageOps

from pinsage.features.pictures import UnreadablePictureError, decode

MAX_MEGAPIXELS = 25.0
QUALITIES = (80, 65, 50, 35, 20)
UPPER_THIRD = (0.5, 0.35)  # where a crop is centered: what matters in a tall picture is rarely at its foot


@dataclass(frozen=True)
class Size:
    """The limits of a thumbnail: pixels of width and height, and bytes."""

    width: int
    height: int
    max_bytes: int


def thumbnail(picture: bytes, size: Size) -> str | None:
    """A `data:` URI of the picture, cropped to fill `size`, or None if it cannot be read or does not fit the bytes.

    It is drawn anew as WebP, so that nothing of the original file (metadata, trailing bytes) reaches the page. The
    quality is the best that fits.
    """
    try:
        image = decode(picture, side=max(size.width, size.height), max_megapixels=MAX_MEGAPIXELS)
    except UnreadablePictureError:
        return None
    fitted = ImageOps.fit(image, (size.width, size.height), Image.Resampling.LANCZOS, centering=UPPER_THIRD)
    for quality in QUALITIES:
        encoded = _webp(fitted, quality)
        if len(encoded) <= size.max_bytes:
            return "data:image/webp;base64," + base64.b64encode(encoded).decode("ascii")
    return None


def _webp(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=quality, method=4)
    return buffer.getvalue()
