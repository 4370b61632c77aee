"""The sizes of a network, and the names and constants that all its readers share; importing it loads no torch."""

from dataclasses import dataclass
from typing import Any, Literal

Pooling = Literal["importance", "mean", "max"]

WEIGHTS, SHAPE = "model.safetensors", "model.json"
CONVOLVED_COLUMNS = 128  # of the spectral block, the strongest first; the rest matters to the linear path alone
FEATURE_LIMIT = 10.0  # standardized features are cut here: one freak value must not drown the others
NORM_FLOOR = 1e-6  # a vector that ReLU has zeroed stays zero instead of becoming NaN


@dataclass(frozen=True)
class NetworkShape:
    """The sizes of a network: its feature blocks (name, width) in order, its layers and its dimensions.

    Attributes:
        has_linear_path: the vectors of the saves reach the output past the convolutions; see `LinearPath`.
        num_pins: P where each pin has a learned vector in that path, else 0.
        convolved_length: of the vectors that a convolution makes; 1 in the paper. Where the head's output is added to
            spectral vectors a training takes √m, entries of about 1 as those of the features: what the head makes of
            entries of 1/√m is for long too small to move the sum.
    """

    blocks: tuple[tuple[str, int], ...]
    num_layers: int
    hidden_dim: int
    embedding_dim: int
    pooling: Pooling
    has_linear_path: bool = False
    num_pins: int = 0
    convolved_length: float = 1.0

    @property
    def num_features(self) -> int:
        """D, the columns of all feature blocks together."""
        return sum(width for _, width in self.blocks)

    @property
    def num_inputs(self) -> int:
        """The columns that the first layer reads: those of all blocks, of the spectral block the first ones alone."""
        num_unread: int = self.unread.stop - self.unread.start
        return self.num_features - num_unread

    @property
    def unread(self) -> slice:
        """The columns of the spectral block that the linear path alone reads."""
        spectral = self.columns("spectral")
        first = spectral.start + CONVOLVED_COLUMNS if self.has_linear_path else spectral.stop
        return slice(min(first, spectral.stop), spectral.stop)

    def columns(self, name: str) -> slice:
        """The columns of a block among the D; none where there is no such block."""
        first = 0
        for block, width in self.blocks:
            if block == name:
                return slice(first, first + width)
            first += width
        return slice(0, 0)

    @classmethod
    def parse(cls, raw: dict[str, Any]) -> "NetworkShape":
        """The shape in the object of `model.json`, without the other values of that.

        Raises:
            ValueError, TypeError, KeyError: it is none.
        """
        blocks = tuple((str(name), int(width)) for name, width in raw["blocks"])
        return cls(**{**raw, "blocks": blocks})
