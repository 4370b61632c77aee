"""Files in a store that is reached by an fsspec URL: whole or not there, whoever reads or writes at the same time."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, cast
from uuid import uuid4

import fsspec

from pinsage.errors import ClusterError, SettingsError
from pinsage.store.disk import full_disk_named
from pinsage.store.rows import BLOCK_BYTES


@dataclass(frozen=True)
class Remote:
    """The store below `url`. Only the URL travels; credentials are those fsspec finds on each machine."""

    url: str

    def size_bytes(self, name: str) -> int | None:
        """The size of a file, or None where there is none.

        Raises:
            ClusterError: as in every method here, the store cannot be reached or refused.
        """
        with self._resolve(name) as (fs, path):
            # Other hosts write here: fsspec's listing of a moment ago may be out of date.
            fs.invalidate_cache()
            return int(fs.info(path)["size"]) if fs.exists(path) else None

    @contextmanager
    def writing(self, name: str) -> Iterator[BinaryIO]:
        """A new file, which takes its name when the block ends without an error."""
        with self._resolve(name) as (fs, path):
            # A name of its own for every attempt: two workers may write the same part at the same time.
            unfinished = f"{path}.{uuid4().hex[:8]}.unfinished"
            fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            try:
                with fs.open(unfinished, "wb") as file:
                    yield cast(BinaryIO, file)
                fs.mv(unfinished, path)
            except BaseException:
                _remove(fs, unfinished)
                raise

    @contextmanager
    def reading(self, name: str) -> Iterator[BinaryIO]:
        """A file, open for reading."""
        with self._resolve(name) as (fs, path), fs.open(path, "rb") as file:
            yield cast(BinaryIO, file)

    def put(self, source: Path, name: str) -> None:
        """Copy a local file into the store."""
        with source.open("rb") as file, self.writing(name) as out:
            while block := file.read(BLOCK_BYTES):
                out.write(block)

    def fetch(self, name: str, target: Path) -> str:
        """Copy a file of the store to a local file; the SHA-256 of what arrived, in hex."""
        digest = hashlib.sha256()
        with self.reading(name) as file, full_disk_named(target.parent), target.open("wb") as out:
            while block := file.read(BLOCK_BYTES):
                digest.update(block)
                out.write(block)
        return digest.hexdigest()

    def remove(self, name: str) -> None:
        """Remove a file, or a folder with all it holds, if it is there."""
        with self._resolve(name) as (fs, path):
            fs.invalidate_cache()
            _remove(fs, path)

    @contextmanager
    def _resolve(self, name: str) -> Iterator[tuple[Any, str]]:
        fs, root = _open_store(self.url)
        try:
            with full_disk_named(Path(root) if Path(root).is_dir() else Path("/")):
                yield fs, f"{root}/{name}"
        except OSError as error:
            raise ClusterError(
                f"{self.url}/{name} cannot be read or written ({error}). Check cluster.store on this machine."
            ) from error


@lru_cache(maxsize=8)
def _open_store(url: str) -> tuple[Any, str]:
    try:
        fs, root = fsspec.core.url_to_fs(url)
    except (ValueError, ImportError, OSError) as error:
        raise SettingsError(f"cluster.store '{url}' cannot be opened ({error}). Give an fsspec URL.") from error
    return fs, str(root).rstrip("/")


def _remove(fs: Any, path: str) -> None:
    if fs.exists(path):
        fs.rm(path, recursive=True)
