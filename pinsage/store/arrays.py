"""Arrays of an artifact: written so that a full disk is an error, opened by memory map and checked before use."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pinsage.errors import ArtifactDamagedError, UnknownPinError
from pinsage.store.machine import is_machine_fault


def save_array(path: Path, array: npt.NDArray[Any]) -> None:
    """Write an array as a `.npy` file in C order, with the bytes of `np.save`.

    Not by `np.save`: it hands the file to C, where a full disk becomes an OSError without its number.

    Raises:
        OSError: the disk is full, by its number, or the file cannot be written for another reason.
    """
    plain = np.ascontiguousarray(array)
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(plain))
        file.write(plain.reshape(-1).view(np.uint8).data)


def create_array(path: Path, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """A new `.npy` file of zeros as a memory map to write to, with all of its room on the disk taken.

    A map of a file that the disk has no room for would end the process with SIGBUS at some later write.

    Raises:
        OSError: the disk is full, by its number.
    """
    array: npt.NDArray[Any] = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    with path.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array


def open_array(path: Path, dtype: npt.DTypeLike, shape: tuple[int | None, ...]) -> npt.NDArray[Any]:
    """The array of a `.npy` file as a read-only memory map; nothing is unpickled.

    Args:
        path: the file.
        dtype: what its elements must be.
        shape: its expected shape; None where any length will do.

    Raises:
        ArtifactDamagedError: the file is missing, is cut short, is no `.npy`, or has another dtype or shape.
        OSError: memory ran out, or the file may not be opened; it may well be whole.
    """
    try:
        array: npt.NDArray[Any] = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError, EOFError, TypeError, SyntaxError, OverflowError) as error:
        if is_machine_fault(error):
            raise
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
