"""Files behind an fsspec URL (an object store, as a rule), which many hosts read and write at the same time.

A call that fails in a way that may pass (an error of the server, a broken connection, a request to slow down) is tried
again with growing pauses, and only then becomes an error that names the store.
"""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import fsspec
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from pinsage.errors import SettingsError, StoreError
from pinsage.store.disk import FULL, full_disk_named
from pinsage.store.lease import hold_lease

log = logging.getLogger(__name__)
Result = TypeVar("Result")

_OBJECT_STORES = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "oci"}  # which have no folders
_COMPARING = ("s3://", "s3a://")  # which write a file only if it is the one that was read
PATIENCE_S = 90.0  # an object store that is started anew is back by then
_NOT_PASSING = (FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError, NotADirectoryError)
# Our own pauses come on top: within them botocore would try each call five times over, and s3fs each of those again.
_OPTIONS: dict[str, dict[str, Any]] = {
    "s3": {"config_kwargs": {"retries": {"max_attempts": 1}}, "max_concurrency": 4},
}


@dataclass(frozen=True)
class RemoteBucket:
    """Files below `url`. Only the URL travels to other processes; credentials are those fsspec finds on each host."""

    url: str

    def __str__(self) -> str:
        return self.url

    def read(self, name: str) -> bytes | None:
        """The content of a file, None where there is none.

        Raises:
            StoreError: as in every method here, the store cannot be reached or refused.
        """
        try:
            content: bytes = self._call(name, lambda fs, path: fs.cat_file(path))
        except FileNotFoundError:
            return None
        return content

    def create(self, name: str, content: bytes) -> bool:
        """Write a file unless there is one; return whether `content` is what stands there now.

        Exact where the store has a conditional write (S3, Google Cloud Storage, Azure); elsewhere of two that come
        within the same moment the later one stands, whole.
        """

        def write(fs: Any, path: str) -> bool:
            try:
                fs.pipe_file(path, content, mode="create")
            except Exception as error:
                # An attempt whose answer was lost may have written it: what stands there decides.
                found = self.read(name)
                if found is None and not isinstance(error, FileExistsError):  # that one may have been removed since
                    raise
                return found == content
            return True

        return self._write(name, write)

    def replace(self, name: str, content: bytes) -> None:
        """Write a file, in place of the one that may be there."""
        self._write(name, lambda fs, path: fs.pipe_file(path, content))

    def exchange(self, name: str, old: bytes | None, new: bytes) -> bool:
        """Write a file in place of one with the content `old`, None for none; return whether `new` stands there now.

        A holder of a lease that slept for longer than it lasts is not alone any more. On S3 the store itself compares;
        elsewhere of two that come within the same moment the later one stands.
        """
        if old is None:
            return self.create(name, new)

        def write(fs: Any, path: str) -> bool:
            try:
                fs.invalidate_cache()
                known = {"IfMatch": fs.info(path)["ETag"]} if self.url.startswith(_COMPARING) else {}
                found = fs.cat_file(path)  # after the tag: a file that was replaced between the two has another one
                if found == old:
                    fs.pipe_file(path, new, **known)
                return bool(found in (old, new))
            except FileNotFoundError:
                return False
            except Exception:
                # An attempt whose answer was lost may have written it, or somebody else did: what stands there decides.
                found = self.read(name)
                if found == old:
                    raise
                return found == new

        return self._write(name, write)

    def names(self, prefix: str = "") -> list[str]:
        """The names of all files in the folder `prefix` and below it, in order."""

        def find(fs: Any, path: str) -> list[str]:
            fs.invalidate_cache()  # other hosts write here: a listing of a moment ago may be out of date
            return list(fs.find(path))

        try:
            paths = self._call(prefix, find)
        except FileNotFoundError:
            return []
        root = f"{_open_file_system(self.url)[1]}/"
        # A folder that fills while it is listed comes back as an entry of its own.
        return sorted(name for path in paths if (name := path.removeprefix(root)) != prefix)

    def changes(self) -> dict[str, datetime]:
        """The time of the last change of every file, by its name; now, where the store does not tell it."""

        def find(fs: Any, path: str) -> dict[str, dict[str, Any]]:
            fs.invalidate_cache()
            return dict(fs.find(path, detail=True))

        try:
            found = self._call("", find)
        except FileNotFoundError:
            return {}
        root = f"{_open_file_system(self.url)[1]}/"
        return {path.removeprefix(root): _time_of_change(info) for path, info in found.items()}

    def remove(self, name: str) -> None:
        """Remove a file, or a folder with all it holds, if it is there."""

        def remove(fs: Any, path: str) -> None:
            fs.invalidate_cache()
            fs.rm(path, recursive=True)

        try:
            self._call(name, remove)
        except FileNotFoundError:
            return

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Hold the lock called `name` within the block, as the only process of all hosts; wait for it."""
        with hold_lease(self, name):
            yield

    def upload(self, source: Path, name: str) -> None:
        """Copy a local file, of any size, into the store."""
        self._write(name, lambda fs, path: fs.put_file(str(source), path))

    def download(self, name: str, target: Path) -> None:
        """Copy a file of the store, of any size, to a local one.

        Raises:
            FileNotFoundError: the store has no such file.
            DiskFullError: there is no room for it.
        """
        with full_disk_named(target.parent):
            self._call(name, lambda fs, path: fs.get_file(path, str(target)))

    def size_bytes(self, name: str) -> int | None:
        """The size of a file, None where there is none."""

        def size(fs: Any, path: str) -> int:
            fs.invalidate_cache()
            return int(fs.info(path)["size"])

        try:
            return self._call(name, size)
        except FileNotFoundError:
            return None

    def _write(self, name: str, action: Callable[[Any, str], Result]) -> Result:
        def write(fs: Any, path: str) -> Result:
            if self.url.partition("://")[0] not in _OBJECT_STORES:  # there it would make a bucket of any misspelt name
                fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            return action(fs, path)

        try:
            return self._call(name, write)
        except FileNotFoundError as error:  # no such bucket
            raise _store_error(f"{self.url}/{name}", error) from error

    def _call(self, name: str, action: Callable[[Any, str], Result]) -> Result:
        """The result of an action, tried again while it fails in a way that may pass."""
        fs, root = _open_file_system(self.url)
        patient = Retrying(
            stop=stop_after_delay(PATIENCE_S),
            wait=wait_random_exponential(multiplier=0.5, max=15),
            retry=retry_if_exception(_may_pass),
            before_sleep=_tell(f"{self.url}/{name}"),
            reraise=True,
        )
        try:
            return patient(action, fs, f"{root}/{name}".rstrip("/"))
        except (FileNotFoundError, StoreError):
            raise
        except Exception as error:
            # A disk of this host is full, which is no fault of the store; callers name the disk.
            if isinstance(error, OSError) and error.errno in FULL:
                raise
            raise _store_error(f"{self.url}/{name}", error) from error


def _open_file_system(url: str) -> tuple[Any, str]:
    return _open_in_process(url, os.getpid())


@lru_cache(maxsize=16)
def _open_in_process(url: str, pid: int) -> tuple[Any, str]:
    """The file system of a URL and the path below it; one for each process, because fsspec's do not survive a fork."""
    protocol = url.partition("://")[0]
    options = {
        name: value for name, value in _OPTIONS.get(protocol, {}).items() if name not in _persons_options(protocol)
    }
    try:
        fs, root = fsspec.core.url_to_fs(url, **options)
    except (ValueError, ImportError, OSError) as error:
        raise SettingsError(f"The store {url} cannot be opened ({error}). Check PINSAGE_STORE.") from error
    return fs, str(root).rstrip("/")


def _persons_options(protocol: str) -> dict[str, Any]:
    """The options of a protocol that a person set in the configuration of fsspec; they stand."""
    return dict(fsspec.config.conf.get(protocol, {}))


def _time_of_change(info: dict[str, Any]) -> datetime:
    """The time of change in what fsspec knows of a file: each of its implementations has a name of its own for it."""
    told = next((info[name] for name in ("LastModified", "last_modified", "updated", "mtime") if info.get(name)), None)
    if isinstance(told, int | float):
        return datetime.fromtimestamp(told, UTC)
    if isinstance(told, str):
        told = datetime.fromisoformat(told)
    if isinstance(told, datetime):
        return told if told.tzinfo else told.replace(tzinfo=UTC)
    return datetime.now(UTC)  # never old enough to be removed


def _may_pass(error: BaseException) -> bool:
    """Return whether a retry can help. Libraries below fsspec raise errors of their own, so what cannot is listed."""
    if isinstance(error, OSError):
        return not isinstance(error, _NOT_PASSING) and error.errno not in FULL
    is_ours = isinstance(error, StoreError | TypeError | ValueError | NotImplementedError)
    return isinstance(error, Exception) and not is_ours and "Credential" not in type(error).__name__


def _tell(what: str) -> Callable[[RetryCallState], None]:
    def tell(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        log.warning("%s: %s; trying again in %.1f s", what, _reason(error), state.upcoming_sleep)

    return tell


def _store_error(what: str, error: BaseException) -> StoreError:
    return StoreError(
        f"{what} cannot be read or written ({_reason(error)}). "
        "Check that the store is up, that it exists, and the credentials of this host."
    )


def _reason(error: BaseException | None) -> str:
    text = str(error).strip().partition("\n")[0].rstrip(".")
    return f"{type(error).__name__}: {text}"[:300] if text else type(error).__name__
