"""Bad pictures: encoded by Pillow and then spoiled, drawn as other formats, or named by a path that leads nowhere."""

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

KINDS = ("JPEG", "PNG", "WEBP", "GIF")


def picture(
    rng: Random, kind: str = "", size: tuple[int, int] = (40, 30), mode: str = "RGB", **options: object
) -> bytes:
    """A sound picture of noise."""
    noise = np.frombuffer(rng.randbytes(size[0] * size[1] * 3), np.uint8).reshape(size[1], size[0], 3)
    buffer = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(buffer, kind or rng.choice(KINDS), **options)
    return buffer.getvalue()


def _changed(rng: Random) -> bytes:
    content = bytearray(picture(rng))
    for _ in range(rng.randint(1, 8)):
        content[rng.randrange(len(content))] = rng.randrange(256)
    return bytes(content)


def _cut(rng: Random) -> bytes:
    content = picture(rng)
    return content[: rng.randrange(len(content))]


def _longer(rng: Random) -> bytes:
    return picture(rng) + rng.choice([rng.randbytes(100), b"\0" * 5000, picture(rng)])


def _glued(rng: Random) -> bytes:
    first, second = picture(rng), picture(rng)
    return first[: len(first) // 2] + second[len(second) // 2 :]


def _another_format(rng: Random) -> bytes:
    texts = (b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7", b"http://example.com/1.jpg", b"\0", b"GIF89a")
    return rng.choice([*texts, picture(rng, "BMP"), picture(rng, "TIFF"), picture(rng, "PPM"), rng.randbytes(500)])


def _another_mode(rng: Random) -> bytes:
    mode, kind = rng.choice(
        [("1", "PNG"), ("L", "JPEG"), ("P", "GIF"), ("CMYK", "JPEG"), ("RGBA", "WEBP"), ("LA", "PNG"), ("I;16", "PNG")]
    )
    if mode == "I;16":
        buffer = io.BytesIO()
        Image.fromarray(np.full((9, 9), rng.randrange(65_536), np.uint16)).save(buffer, "PNG")
        return buffer.getvalue()
    return picture(rng, kind, mode=mode)


def _extreme_size(rng: Random) -> bytes:
    size = rng.choice([(1, 1), (1, 3000), (3000, 1), (2, 2)])
    return picture(rng, rng.choice(("JPEG", "PNG", "GIF")), size)


def _bomb(rng: Random) -> bytes:
    """A PNG of a few kilobytes that claims, or has, a huge number of pixels."""
    width, height = rng.choice([(50_000, 50_000), (2**31 - 1, 1), (0, 0), (1, 2**31 - 1), (30_000, 2000)])
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    data = zlib.compress(bytes(1_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _notes(rng: Random) -> bytes:
    """EXIF and color profiles of any content, text chunks that unpack to megabytes."""
    kind = rng.choice(["exif", "profile", "text"])
    if kind == "exif":
        return picture(rng, "JPEG", exif=b"Exif\0\0" + rng.choice([b"II*\0", b"MM\0*", b""]) + rng.randbytes(60))
    if kind == "profile":
        return picture(rng, rng.choice(("JPEG", "PNG", "WEBP")), icc_profile=rng.randbytes(rng.choice([10, 3000])))
    sound = picture(rng, "PNG")
    text = b"zTXt", b"Comment\0\0" + zlib.compress(bytes(20_000_000), 9)
    return sound[:33] + _chunk(*text) + sound[33:]


def _animation(rng: Random) -> bytes:
    kind = rng.choice(["GIF", "WEBP", "PNG"])
    frames = [Image.new("RGB", (8, 8), (number % 256, 0, 0)) for number in range(rng.choice([2, 300]))]
    buffer = io.BytesIO()
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:], duration=rng.choice([0, 10]))
    content = buffer.getvalue()
    return content if rng.random() < 0.5 else content[: rng.randrange(len(content) // 2, len(content))]


PICTURES: dict[str, Callable[[Random], bytes]] = {
    "pictures with other bytes": _changed,
    "pictures that are cut short": _cut,
    "pictures with something behind them": _longer,
    "pictures of two halves": _glued,
    "pictures of another format": _another_format,
    "pictures of another mode": _another_mode,
    "pictures of an extreme size": _extreme_size,
    "pictures that claim many pixels": _bomb,
    "pictures with notes of any content": _notes,
    "pictures that move": _animation,
}

PATHS: dict[str, Callable[[Random], str]] = {
    "paths that lead outside": lambda rng: rng.choice(
        ["../secret.jpg", "/etc/passwd", "file:///etc/passwd", "http://[::1]/x", "a/../../secret.jpg", "outside", "~/x"]
    ),
    "paths that no file system takes": lambda rng: rng.choice(
        ["x" * 300, "a/" * 3000 + "x.jpg", "loop", "loop/x.jpg", "there", "1.jpg/x", "a\0b", "\u202e", ".", "x" * 10**6]
    ),
    "paths to no picture": lambda rng: rng.choice(["none.jpg", "pins.parquet", "folder", "pipe", "zero", "empty.jpg"]),
}


def write_traps(folder: Path) -> None:
    """Write the ends of the paths: links in a circle and outside, a folder, a pipe, an endless and an empty file."""
    (folder.parent / "secret.jpg").write_bytes(b"secret")
    (folder / "outside").symlink_to(folder.parent / "secret.jpg")
    (folder / "loop").symlink_to("loop")
    (folder / "there").symlink_to("back")
    (folder / "back").symlink_to("there")
    (folder / "zero").symlink_to("/dev/zero")
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    (folder / "empty.jpg").write_bytes(b"")
