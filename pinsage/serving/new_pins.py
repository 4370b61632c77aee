"""Embeddings of pins that no catalog holds yet, from their words and their picture.

A new pin gets the embedding that it would have after a refresh over tables that hold it without a save: the same code
reads its words and its picture, and it has no neighbors. No torch is loaded, but for the pictures of vgg16.

D feature columns, d embedding size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pinsage.errors import InputError, SettingsError
from pinsage.features.text import VECTORS, VOCABULARY, WordVectors
from pinsage.features.visual import Encoder, encode_pictures, encoder_digest, picture_encoder
from pinsage.features.words import words_of_pin
from pinsage.model.isolated import IsolatedNetwork
from pinsage.model.shape import SHAPE, WEIGHTS
from pinsage.settings.loading import load_recorded
from pinsage.settings.schema import Settings

SETTINGS = "settings.yaml"
FILES = (WEIGHTS, SHAPE, VECTORS, VOCABULARY, SETTINGS)  # that `NewPinEncoder.open` reads

Blocks = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class NewPin:
    """The content of a new pin, in the columns of the table `pins`; any of it may be missing.

    `annotations` are a list, or one text with commas; `image` is an encoded picture.
    """

    title: str = ""
    description: str = ""
    link: str = ""
    annotations: str | Sequence[str] = ()
    image: bytes | None = None

    @property
    def is_empty(self) -> bool:
        """True if nothing is given."""
        return not (self.title or self.description or self.link or self.annotations or self.image)


class NewPinEncoder:
    """The encoder of new pins that goes with an index: network, word vectors and settings of one run."""

    def __init__(self, network: IsolatedNetwork, words: WordVectors, settings: Settings, picture_digest: str) -> None:
        """Put the parts together; use `open`."""
        self._network, self._words = network, words
        self._settings, self._picture_digest = settings, picture_digest

    @classmethod
    def open(cls, folder: Path, *, dim: int, picture_digest: str) -> "NewPinEncoder":
        """The encoder whose FILES lie in a folder, after their checksums agreed.

        Args:
            folder: of a release, or of a registered model.
            dim: d, of the index that new pins are looked up in.
            picture_digest: `encoder_digest` of the training's pictures; "" where it was not written down.

        Raises:
            ArtifactDamagedError: the network cannot be read.
            InputError: the parts do not fit each other.
        """
        network, words = IsolatedNetwork.open(folder), WordVectors.open(folder)
        word_size = words.vectors.shape[1]
        read_size = dict(network.shape.blocks).get("text", word_size)
        if network.shape.embedding_dim != dim:
            raise InputError(
                f"The model makes embeddings of size {network.shape.embedding_dim} and the index holds embeddings of "
                f"size {dim}: new pins cannot be looked up. Take model and index of the same run."
            )
        if read_size != word_size:
            raise InputError(
                f"The model reads word vectors of size {read_size} and these have size {word_size}. Take model and "
                "words of the same run."
            )
        return cls(network, words, load_recorded(folder / SETTINGS), picture_digest)

    def embed(self, pin: NewPin) -> NDArray[np.float32]:
        """The embedding of a new pin: float32 [d], unit length.

        Raises:
            InputError: its picture cannot be read, nothing is known of it, or the network makes nothing of it.
            SettingsError: the picture encoder of the training is not at hand.
        """
        shape, blocks = self._network.shape, self._text(pin) | self._picture(pin.image)
        if not any(blocks[flag].any() for flag in ("has_text", "has_picture") if flag in blocks):
            raise InputError(
                "The pin has no picture and no word that the model knows. Give an image, or annotations, a title or a "
                "description in the words of the catalog."
            )
        features = np.zeros(shape.num_features, np.float32)  # [D]; the blocks that saves make stay zero
        for name, values in blocks.items():
            features[shape.columns(name)] = values
        vector = self._network.embed(features)
        if not (np.isfinite(vector).all() and vector.any()):
            raise InputError("The model makes no direction of this pin's content. Give more of its content.")
        return vector

    def _text(self, pin: NewPin) -> Blocks:
        if not self._reads("text"):
            return {}
        most, words = self._settings.data.max_text_length, self._settings.text.max_words
        texts = (text[:most] for text in (pin.title, pin.link, pin.description))
        feature, has_text = self._words.feature(words_of_pin(self._annotations(pin), *texts, max_words=words))
        return {"text": feature, "has_text": np.array([has_text], np.float32)}

    def _annotations(self, pin: NewPin) -> list[str]:
        """The annotations as ingest keeps them: trimmed, cut, without blanks, not too many."""
        caps, given = self._settings.data, pin.annotations
        if isinstance(given, str):
            given = given[: caps.max_text_length].split(",")
        words = (word[: caps.max_text_length].strip() for word in given)
        return [word for word in words if word][: caps.max_annotations]

    def _picture(self, image: bytes | None) -> Blocks:
        if not image or not self._reads("visual"):
            return {}
        size_mb, most_mb = len(image) / 1e6, self._settings.data.max_picture_mb
        if size_mb > most_mb:
            raise InputError(
                f"The image has {size_mb:.3g} MB, and {most_mb:g} MB are read at most. Give a smaller one."
            )
        most = self._settings.visual.max_megapixels
        encoded = encode_pictures([image], self._encoder, max_megapixels=most)
        if encoded.faults[0]:
            raise InputError(
                f"The image cannot be read ({encoded.faults[0]}). Give a whole JPEG, PNG, WebP or GIF file of at most "
                f"{most:g} megapixels, or leave it out."
            )
        return {"visual": encoded.vectors[0], "has_picture": np.ones(1, np.float32)}

    def _reads(self, block: str) -> bool:
        """Return whether the network reads a block, which it does not where no pin of the training had such content."""
        return block in dict(self._network.shape.blocks)

    @cached_property
    def _encoder(self) -> Encoder:
        """The picture encoder, opened for the first picture: vgg16 takes half a gigabyte."""
        visual = self._settings.visual
        if self._picture_digest and encoder_digest(visual) != self._picture_digest:
            raise SettingsError(
                f"The pictures of the training were encoded by {self._picture_digest[:20]}, and here the encoder is "
                f"{encoder_digest(visual)[:20]}. Give the weights of the training (visual.weights), or train again."
            )
        return picture_encoder(visual)
