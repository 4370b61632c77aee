"""A small model of new pins for tests: a network with words and pictures, word vectors, and pictures of any health."""

import io
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from pinsage.features.descriptor import Descriptor
from pinsage.features.text import WordVectors
from pinsage.model.shape import NetworkShape

if TYPE_CHECKING:
    from pinsage.model.network import PinSageNetwork

WORDS, WORD_SIZE = ["sea", "wave", "tree", "forest", "etsy", "lemon_pie"], 4


def write_network(folder: Path, dim: int, *, word_size: int = WORD_SIZE) -> "PinSageNetwork":
    """A network with one convolution and random weights; returns it."""
    import torch  # here, since servers of the tests that read no network import this module

    from pinsage.model.file import save_network
    from pinsage.model.network import PinSageNetwork

    content = (("visual", Descriptor.dim), ("has_picture", 1), ("text", word_size), ("has_text", 1))
    saves = (("spectral", 3), ("has_saves", 1), ("log_degree", 1))
    network = PinSageNetwork(NetworkShape((*content, *saves), 1, 16, dim, "importance", has_linear_path=True), seed=3)
    with torch.no_grad():
        network.head_output.weight.copy_(torch.randn(dim, 16, generator=torch.Generator().manual_seed(4)))
    save_network(network.eval(), folder)
    return network


def write_words(folder: Path) -> None:
    """Vectors of WORDS, as the stage featurize_text publishes them."""
    vectors = np.random.default_rng(5).normal(size=(len(WORDS), WORD_SIZE)).astype(np.float32)
    WordVectors(WORDS, np.ones(len(WORDS), np.int64), vectors).write(folder)


def picture(color=(40, 190, 60), kind: str = "PNG") -> bytes:
    """A plain picture."""
    buffer = io.BytesIO()
    Image.new("RGB", (48, 64), color).save(buffer, kind)
    return buffer.getvalue()


def bomb() -> bytes:
    """A PNG whose header promises 60,000 x 60,000 pixels and whose data hold a few."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data
