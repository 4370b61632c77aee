"""Pictures kept as files beside the tables: an `image_path` leads into the data set's folder, or nowhere."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pyarrow.fs as pafs

from pinsage.catalog.dataset import Dataset
from pinsage.errors import PinSageError

OUTSIDE = "picture path leads outside the data set"
MISSING = "picture file is missing"
FAULTS = (OUTSIDE, MISSING)


@dataclass(frozen=True)
class PictureFile:
    """What the `image_path` called `name` leads to: the full path, size and time of change, or why it is refused."""

    name: str
    path: str
    size_bytes: int = 0
    modified_ns: int = 0
    fault: str = ""


def picture_file(dataset: Dataset, image_path: str) -> PictureFile:
    """The picture file that an `image_path` names, which is never opened or looked at outside the data set's folder."""
    path = _inside(dataset, image_path)
    if path is None:
        return PictureFile(image_path, "", fault=OUTSIDE)
    info = dataset.filesystem.get_file_info(path)
    if info.type is not pafs.FileType.File:
        return PictureFile(image_path, path, fault=MISSING)
    return PictureFile(image_path, path, info.size or 0, info.mtime_ns or 0)


def read_picture_file(dataset: Dataset, file: PictureFile) -> bytes:
    """The bytes of a picture file.

    Raises:
        PinSageError: it is no longer as large as it was.
    """
    with dataset.filesystem.open_input_file(file.path) as opened:
        picture = bytes(opened.read(file.size_bytes + 1))
    if len(picture) != file.size_bytes:
        raise PinSageError(
            f"{file.path!a} had {file.size_bytes:,} bytes and now has {len(picture):,} or more. "
            "Run again when nobody writes to the data set."
        )
    return picture


def _inside(dataset: Dataset, image_path: str) -> str | None:
    pure = PurePosixPath(image_path)
    is_odd = any(not character.isprintable() or character == "\\" for character in image_path)
    if is_odd or "://" in image_path or pure.is_absolute() or ".." in pure.parts:
        return None
    path = dataset.path(str(pure))
    if isinstance(dataset.filesystem, pafs.LocalFileSystem):
        resolved = Path(path).resolve()  # a symbolic link may lead outside
        return str(resolved) if resolved.is_relative_to(dataset.root) else None
    return path
