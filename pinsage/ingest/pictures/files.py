"""Pictures kept as files beside the tables: an `image_path` leads into the data set's folder, or nowhere."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pyarrow.fs as pafs

from pinsage.errors import PinSageError
from pinsage.ingest.source.dataset import Dataset

OUTSIDE = "picture path leads outside the data set"
MISSING = "picture file is missing"


@dataclass(frozen=True)
class PictureFile:
    """The file behind the `image_path` called `name`: its full path, size and time of change, or the refusal."""

    name: str
    path: str
    size_bytes: int = 0
    modified_ns: int = 0
    fault: str = ""


def picture_file(dataset: Dataset, image_path: str) -> PictureFile:
    """Return the picture file that an `image_path` names; nothing outside the data set's folder is looked at.

    A path that no file system takes (a component of 300 characters, a loop of links) names no file.
    """
    try:
        path = _inside(dataset, image_path)
        if path is None:
            return PictureFile(image_path, "", fault=OUTSIDE)
        info = dataset.filesystem.get_file_info(path)
    except (TimeoutError, ConnectionError):
        raise
    except (OSError, RuntimeError, ValueError):
        return PictureFile(image_path, "", fault=MISSING)
    if info.type is not pafs.FileType.File:
        return PictureFile(image_path, path, fault=MISSING)
    return PictureFile(image_path, path, info.size or 0, info.mtime_ns or 0)


def read_picture_file(dataset: Dataset, image_path: str, size_bytes: int) -> bytes:
    """Return the bytes of a picture file.

    Raises:
        PinSageError: it is no longer as large as it was, or may not be read.
    """
    path = picture_file(dataset, image_path).path
    try:
        with dataset.filesystem.open_input_file(path) as opened:
            picture = bytes(opened.read(size_bytes + 1))
    except (PermissionError, FileNotFoundError) as error:
        raise PinSageError(
            f"{path!a} cannot be read ({error.strerror}). Correct its permissions and run again."
        ) from None
    if len(picture) != size_bytes:
        raise PinSageError(
            f"{path!a} had {size_bytes:,} bytes and now has {len(picture):,} or more. "
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
