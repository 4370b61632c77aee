"""All features of all pins as one matrix that is never built: blocks side by side, gathered row by row.

Letters: P pins, D columns of all blocks together.

The blocks, in order: `visual`, `has_picture`, `text`, `has_text`, `spectral`, `has_saves`, and `log_degree`, which is
log(1 + training saves). A pin without a picture (words, saves) has zeros in `visual` (`text`, `spectral`) and 0 in the
column after it, so a model can tell "none" from "average".
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pinsage.errors import ArtifactDamagedError, PinSageError
from pinsage.store.arrays import check_pins, open_array

Block = NDArray[np.float32] | NDArray[np.bool_]
_CHUNK_PINS = 8192
_BLOCKS = {  # by the stage whose artifact holds them, each in a file of its name
    "featurize_visual": ("visual", "has_picture"),
    "featurize_text": ("text", "has_text"),
    "featurize_saves": ("spectral", "has_saves", "log_degree"),
}
FEATURE_STAGES = tuple(_BLOCKS)
CONTENT = {
    "visual": "has_picture",
    "text": "has_text",
}  # blocks that content makes, and the flags of the pins that have it


class FeatureMatrix:
    """Feature blocks of the same pins. `num_pins` is P, `dim` is D, `widths` the columns of each block in order."""

    def __init__(self, blocks: Mapping[str, Block]) -> None:
        """Put blocks side by side.

        Args:
            blocks: name to float32 or bool [P, width] or [P]; arrays or memory maps, which are not read here.
        """
        self._blocks = {name: _two_dimensional(name, block) for name, block in blocks.items()}
        self.widths = {name: block.shape[1] for name, block in self._blocks.items()}
        self.names = tuple(self.widths)
        self.dim = sum(self.widths.values())
        self.num_pins = _same_number_of_pins(self._blocks)

    @classmethod
    def open(cls, inputs: Mapping[str, Path]) -> "FeatureMatrix":
        """The features in the artifacts of the stages FEATURE_STAGES, by memory map.

        Args:
            inputs: the artifact of each stage; others may be among them. Where no pin has a picture (words), or
                `spectral.dim` was 0, neither `visual` (`text`, `spectral`) nor its flag is a block.

        Raises:
            ArtifactDamagedError: the files disagree on the number of pins or hold another type.

        Source: PinSage §4.1.
        """
        blocks = {name: _open_block(inputs[stage], name) for stage, names in _BLOCKS.items() for name in names}
        for name, flag in CONTENT.items():
            if not blocks[flag].any():
                del blocks[name], blocks[flag]  # columns of zeros would only cost time
        if blocks["spectral"].shape[1] == 0:
            del blocks["spectral"], blocks["has_saves"]  # the degree tells whether there are saves
        return cls(blocks)

    def rows(self, pins: NDArray[np.int32], into: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """The features of the given pins, in their order: float32 [n, D]. Releases the GIL while it gathers.

        Args:
            pins: int32 [n].
            into: float32 [n, D] to write to and give back; a new array without it.

        Raises:
            UnknownPinError: a pin is negative or not below P.
            ValueError: `into` has another shape or type.
        """
        check_pins(pins, self.num_pins)
        out = np.empty((len(pins), self.dim), dtype=np.float32) if into is None else into
        if out.shape != (len(pins), self.dim) or out.dtype != np.float32:
            raise ValueError(f"Rows of float32 {[len(pins), self.dim]} do not fit {out.dtype} {list(out.shape)}.")
        for columns, block in self._slices():
            _gather(np.asarray(block), pins, out, columns.start)  # numba knows no memory maps, only plain views
        return out

    def block(self, name: str) -> NDArray[np.float32]:
        """One block: float32 [P, width], by memory map where it is one.

        Raises:
            PinSageError: there is no such block.
        """
        return self._block(name).astype(np.float32, copy=False)

    def has_content(self, name: str) -> NDArray[np.bool_]:
        """Tell whether each pin has a picture (`visual`) or words (`text`): bool [P]."""
        if CONTENT[name] not in self._blocks:
            return np.zeros(self.num_pins, np.bool_)
        flags: NDArray[np.bool_] = self._blocks[CONTENT[name]][:, 0] != 0
        return flags

    def only(self, *names: str) -> "FeatureMatrix":
        """The same pins with these blocks alone, in this matrix's order.

        Raises:
            PinSageError: there is no such block.
        """
        kept = {name: self._block(name) for name in names}
        return FeatureMatrix({name: kept[name] for name in self.names if name in kept})

    def moments(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The mean and the scale (standard deviation, 1 where constant) of each column over all pins: float32 [D] each.

        Over all pins, also those whose zeros stand for "none": standardized so, a pin without a picture stays within a
        few units of the others. Over the pins with a picture alone it would lie mean / scale away in every column.

        Raises:
            PinSageError: a feature is NaN or infinite.
        """
        count, mean = 0, np.zeros(self.dim)  # [D]
        squares = np.zeros(self.dim)  # summed squared distances from the mean
        for first in range(0, self.num_pins, _CHUNK_PINS):
            chunk = self.rows(np.arange(first, min(first + _CHUNK_PINS, self.num_pins), dtype=np.int32))
            # Before the sums, which one NaN would turn into NaN without saying where it was.
            self._check_finite(chunk, first)
            count, mean, squares = _merge((count, mean, squares), chunk.astype(np.float64))
        deviation = np.sqrt(squares / max(count, 1))  # [D]
        is_constant = deviation <= 1e-6 * np.abs(mean)
        return mean.astype(np.float32), np.where(is_constant, 1.0, deviation).astype(np.float32)

    def _slices(self) -> Iterator[tuple[slice, Block]]:
        """Each block with the columns it fills."""
        first = 0
        for name, width in self.widths.items():
            yield slice(first, first + width), self._blocks[name]
            first += width

    def _block(self, name: str) -> Block:
        if name not in self._blocks:
            raise PinSageError(f"There is no feature block '{name}'. The blocks are {', '.join(self.names)}.")
        return self._blocks[name]

    def _check_finite(self, chunk: NDArray[np.float32], first: int) -> None:
        if np.isfinite(chunk).all():
            return
        row, column = np.argwhere(~np.isfinite(chunk))[0].tolist()
        name = next(
            name
            for name, (place, _) in zip(self.names, self._slices(), strict=True)
            if place.start <= column < place.stop
        )
        raise PinSageError(
            f"The '{name}' feature of pin {first + row} is {chunk[row, column]}. Delete that stage's artifact and run "
            "it again; if it comes back, look at the pin's picture or words."
        )


def _open_block(folder: Path, name: str) -> Block:
    dtype = np.bool_ if name.startswith("has_") else np.float32
    shape = (None, None) if name in ("visual", "text", "spectral") else (None,)
    return open_array(folder / f"{name}.npy", dtype, shape)


_Moments = tuple[int, NDArray[np.float64], NDArray[np.float64]]


def _merge(before: _Moments, chunk: NDArray[np.float64]) -> _Moments:
    """Count, mean and summed squares of what came before and one more chunk (Chan's update, which loses no digits)."""
    count, mean, squares = before
    added, total = len(chunk), count + len(chunk)
    chunk_mean = chunk.mean(axis=0)
    chunk -= chunk_mean
    gap = chunk_mean - mean
    squares = squares + (chunk * chunk).sum(axis=0) + gap * gap * (count * added / total)
    return total, mean + gap * (added / total), squares


def _two_dimensional(name: str, block: Block) -> Block:
    if block.dtype not in (np.float32, np.bool_) or block.ndim not in (1, 2):
        raise ArtifactDamagedError(
            f"The '{name}' features are {block.dtype} {list(block.shape)}, not float32 or bool [pins, width]. Delete "
            "that stage's artifact and run it again."
        )
    return block[:, None] if block.ndim == 1 else block


def _same_number_of_pins(blocks: Mapping[str, Block]) -> int:
    lengths = {name: len(block) for name, block in blocks.items()}
    if len(set(lengths.values())) != 1:
        raise ArtifactDamagedError(
            f"The feature blocks cover different numbers of pins ({lengths}). They come from different catalogs: run "
            "the stages of one run."
        )
    return next(iter(lengths.values()))


@njit(nogil=True, cache=True)
def _gather(block, pins, out, first):  # type: ignore[no-untyped-def]
    """Copy the rows `pins` of `block` into the columns of `out` from `first` on, converting on the way.

    Unsigned indices, which numba need not test for counting from the end, let the copy run in wide registers: 3 times
    as fast as with signed ones, and 2 times as fast as numpy, which would also need a temporary array.
    """
    for row in range(len(pins)):
        source, target = block[np.uint64(pins[row])], out[row]
        for column in range(block.shape[1]):
            target[np.uint64(first + column)] = source[np.uint64(column)]
