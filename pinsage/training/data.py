"""The data of a training, checked before the first step."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pinsage.errors import InputError
from pinsage.features.matrix import FeatureMatrix
from pinsage.pairs.board_pins import BoardPins
from pinsage.pairs.pairs import Pairs
from pinsage.walks.neighborhood import Neighborhoods


@dataclass(frozen=True)
class TrainingData:
    """Features, neighborhoods and pairs of one catalog.

    `neighborhoods` may be None for a network without convolutions. `hard_negatives` is int32 [P, H], padding -1, or
    None where none are drawn. Training looks at `train`; `validation` chooses among the weights it passes through.
    With `boards` the training pairs are co-members of these, drawn anew every epoch, in place of `train`: for saves
    whose order means nothing. Popularity has a say where `log_degree` is a block of the features.
    """

    features: FeatureMatrix
    neighborhoods: Neighborhoods | None
    hard_negatives: NDArray[np.int32] | None
    train: Pairs
    validation: Pairs
    boards: BoardPins | None = None

    @property
    def num_pairs(self) -> int:
        """Training pairs in an epoch."""
        return len(self.train) if self.boards is None else len(self.boards.pins)

    @property
    def log_degree(self) -> NDArray[np.float32] | None:
        """The block of that name, float32 [P]; None without it."""
        return self.features.block("log_degree")[:, 0] if "log_degree" in self.features.names else None

    def tables(self) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Neighbors and weights, [P, T] each; [P, 0] without neighborhoods."""
        if self.neighborhoods is None:
            empty = (self.features.num_pins, 0)
            return np.empty(empty, np.int32), np.empty(empty, np.float32)
        # Plain arrays over the same memory: the kernels do not know memory maps as a type of their own.
        return np.asarray(self.neighborhoods.neighbors), np.asarray(self.neighborhoods.weights)

    def candidates(self) -> NDArray[np.int32]:
        """Hard-negative candidates, int32 [P, H]; [P, 0] where there are none."""
        if self.hard_negatives is None:
            return np.empty((self.features.num_pins, 0), np.int32)
        return np.asarray(self.hard_negatives)


def feature_moments(data: TrainingData, num_layers: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and scale of every feature column, after the data have been found fit to train on.

    Raises:
        InputError: there are no pairs, no pins for negatives, no neighborhoods for the layers, or rows of different
            catalogs.
        PinSageError: a feature is NaN or infinite.
    """
    num_pins = data.features.num_pins
    if data.num_pairs == 0:
        raise InputError("There are 0 training pairs. Use more saves, or a smaller pairs.validation_share.")
    if num_pins < 3:
        raise InputError(f"The catalog has {num_pins} pins, and a negative needs a third one. Use a larger data set.")
    if num_layers and data.neighborhoods is None:
        raise InputError(f"model.num_layers is {num_layers}, but there are no neighborhoods. Run the walk stage first.")
    _check_rows(data, num_pins)
    return data.features.moments()


def _check_rows(data: TrainingData, num_pins: int) -> None:
    paired = (data.train.query, data.train.positive) if data.boards is None else (data.boards.pins,)
    # A compiled gather would read past the features; here it is one sentence.
    largest = max(int(pins.max()) for pins in paired)
    for name, table in (("neighborhoods", data.tables()[0]), ("hard negatives", data.candidates())):
        if len(table) != num_pins:
            raise InputError(
                f"The {name} have {len(table)} rows and the features {num_pins}. Make both from the same catalog."
            )
    if largest >= num_pins:
        raise InputError(
            f"A training pair names pin {largest}, but the features have {num_pins} rows. "
            "Make both from the same catalog."
        )
