"""Arrays on disk that are filled part by part: runs of rows of `.npy` files, and their checksums."""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from pinsage.errors import PinSageError
from pinsage.store.arrays import create_array
from pinsage.store.disk import full_disk_named

BLOCK_BYTES = 1 << 22  # read, sum and copied at a time


@dataclass(frozen=True)
class Written:
    """The rows from `first` to `last` - 1 of some arrays, with the CRC-32 of each array's rows as they were made."""

    first: int
    last: int
    checksums: Mapping[str, int]


class PartWriter:
    """A writer of the rows of one part, in order, into one open file per array."""

    def __init__(self, files: Mapping[str, BinaryIO], first: int, last: int) -> None:
        self._files, self._first, self._last = files, first, last
        self._sums = dict.fromkeys(files, 0)
        self._rows = dict.fromkeys(files, 0)

    def append(self, rows: Mapping[str, NDArray[Any]]) -> None:
        """Write the next rows of each array."""
        for name, array in rows.items():
            data = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
            self._files[name].write(data)
            # Summed before the bytes leave: what a disk or a network does to them afterwards shows.
            self._sums[name] = zlib.crc32(data, self._sums[name])
            self._rows[name] += len(array)

    def finish(self) -> Written:
        """The range and the checksums of the rows, once all of them have been appended.

        Raises:
            PinSageError: an array got more or fewer rows than the part has.
        """
        for name, count in self._rows.items():
            if count != self._last - self._first:
                raise PinSageError(
                    f"{count} rows of {name} were made for the part of {self._last - self._first} rows at "
                    f"{self._first}. This is a fault of the code; please report it."
                )
        return Written(self._first, self._last, self._sums)


@dataclass(frozen=True)
class RowFile:
    """A `.npy` file in C order, seen as rows of bytes.

    Rows go through ordinary reads and writes, not through a memory map: a full disk is an error then (a map would end
    the process with SIGBUS), and on a network file system two hosts may write into one page.
    """

    path: Path
    header_bytes: int
    row_bytes: int
    num_rows: int

    @classmethod
    def open(cls, path: Path) -> "RowFile":
        """The layout of a file that `allocate` made.

        Raises:
            PinSageError: it is no `.npy` file of version 1.0.
        """
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            if version != (1, 0):
                raise PinSageError(f"{path} is .npy version {version}, not (1, 0). Run the stage again.")
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            return cls(path, file.tell(), int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize, shape[0])

    def open_at(self, first: int, last: int) -> BinaryIO:
        """The file, open for writing at row `first`; the caller closes it.

        Raises:
            PinSageError: the rows from `first` to `last` - 1 are not rows of the array; it would grow beyond its end.
        """
        if not 0 <= first <= last <= self.num_rows:
            raise PinSageError(
                f"Rows {first} to {last} are not rows of {self.path}, which has {self.num_rows}. Run the stage again."
            )
        file = self.path.open("r+b")
        file.seek(self.header_bytes + first * self.row_bytes)
        return file

    def checksum(self, first: int, last: int) -> int:
        """The CRC-32 of the rows from `first` to `last` - 1 as they are on disk."""
        total = 0
        with self.path.open("rb") as file:
            file.seek(self.header_bytes + first * self.row_bytes)
            for block in blocks(file, (last - first) * self.row_bytes):
                total = zlib.crc32(block, total)
        return total


def allocate(path: Path, dtype: np.typing.DTypeLike, shape: tuple[int, ...]) -> None:
    """Create a `.npy` file of this shape whose bytes are still to be written; its room on the disk is taken.

    Raises:
        DiskFullError: there is no room for it.
    """
    with full_disk_named(path.parent):
        create_array(path, dtype, shape)


def blocks(file: BinaryIO, size_bytes: int) -> Iterator[bytes]:
    """The next `size_bytes` bytes of a file in blocks; fewer where it ends before."""
    while size_bytes > 0 and (block := file.read(min(size_bytes, BLOCK_BYTES))):
        yield block
        size_bytes -= len(block)
