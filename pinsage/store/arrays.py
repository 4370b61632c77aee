"""Arrays of an artifact, opened by memory map and checked before anyone computes with them."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pinsage.errors import ArtifactDamagedError, UnknownPinError


def open_array(path: Path, dtype: npt.DTypeLike, shape: tuple[int | None, ...]) -> npt.NDArray[Any]:
    """The array of a `.npy` file as a read-only memory map; nothing is unpickled.

    Args:
        path: the file.
        dtype: what its elements must be.
        shape: its expected shape; None where any length will do.

    Raises:
        ArtifactDamagedError: the file is missing, is cut short, is no `.npy`, or has another dtype or shape.
    """
    try:
        array: npt.NDArray[Any] = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError, EOFError, TypeError, SyntaxError, OverflowError) as error:
        raise _damage_error(path, f"cannot be read as an array ({error})") from None
    fits = len(array.shape) == len(shape) and all(
        want in (None, have) for want, have in zip(shape, array.shape, strict=True)
    )
    if array.dtype != np.dtype(dtype) or not fits or not array.flags.c_contiguous:
        wanted = ", ".join("any" if length is None else str(length) for length in shape)
        raise _damage_error(path, f"holds {array.dtype} {list(array.shape)} instead of {np.dtype(dtype)} [{wanted}]")
    return array


def check_pins(pins: npt.NDArray[np.int32], num_pins: int) -> None:
    """Check that row numbers of pins are those of a table of `num_pins` rows: compiled code checks no bounds.

    Raises:
        UnknownPinError: one of them is not.
    """
    if len(pins) and not 0 <= int(pins.min()) <= int(pins.max()) < num_pins:
        wrong = int(pins.min()) if pins.min() < 0 else int(pins.max())
        raise UnknownPinError(
            f"Pin {wrong} was asked for, but pins run from 0 to {num_pins - 1}. Take pins of the same catalog."
        )


def _damage_error(path: Path, fact: str) -> ArtifactDamagedError:
    return ArtifactDamagedError(f"{path} {fact}. Delete {path.parent}; the next run makes it again.")
