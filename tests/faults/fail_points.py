"""Fail-points: the calls by which files, names and objects come to be, and a fault before, amid or after one of them.

Whatever calls `os`, `open`, S3 or MLflow in this process is met, so that a new write needs no new line here. Bytes that
a library writes by its own means (Parquet, Annoy) are not: they go into drafts.
"""

import builtins
import errno
import fcntl
import functools
import io
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import s3fs

from pinsage.tracking.server import Server

CALLS = "open write fsync replace rename link mkdir unlink remove rmdir utime".split()
SERVERS = ("S3", "MLflow")


@dataclass(frozen=True)
class Fault:
    """A fault at the point with this number.

    Attributes:
        number: of the point, in the order in which a process passes them.
        effect: "error": the call fails, once. "lost": so do all later ones of S3 and MLflow. "kill" and "stop": the
            process gets SIGKILL, or SIGSTOP.
    """

    number: int
    effect: str


@dataclass
class Points:
    """The points that a process has passed, by name, and the fault that it meets on the way."""

    fault: Fault | None = None
    passed: list[str] = field(default_factory=list)

    def reach(self, name: str) -> None:
        """Pass a point, or meet the fault there."""
        self.passed.append(name)
        fault, number = self.fault, len(self.passed) - 1
        if fault is None or number < fault.number:
            return
        if fault.effect in ("kill", "stop"):
            if number == fault.number:
                os.kill(os.getpid(), signal.SIGKILL if fault.effect == "kill" else signal.SIGSTOP)
        elif number == fault.number or (fault.effect == "lost" and name.startswith(SERVERS)):
            raise _error(name)

    def around(self, name: str, call: Callable) -> Callable:
        """The call with a point before it and one after it."""

        @functools.wraps(call)
        def pointed(*arguments, **options):
            self.reach(f"{name}, before")
            result = call(*arguments, **options)
            self.reach(f"{name}, after")
            return result

        return pointed

    def around_request(self, call: Callable) -> Callable:
        """The request to S3 with a point before it and one after it."""

        async def pointed(fs, method, *arguments, **options):
            self.reach(f"S3 {method}, before")
            result = await call(fs, method, *arguments, **options)
            self.reach(f"S3 {method}, after")
            return result

        return pointed

    def opened(self, file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, closefd=True, opener=None):
        """The file, as `open` gives it; one that is written to has points around each write, and one amid it."""
        if not set(mode) & set("wxa+"):
            return _OPEN(file, mode, buffering, encoding, errors, newline, closefd, opener)
        raw = _PointedFile(self, file, mode.replace("b", "").replace("t", ""), closefd, opener)
        if buffering == 0:
            return raw
        binary = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return binary if "b" in mode else io.TextIOWrapper(binary, encoding, errors, newline)


_OPEN, _CLIENT = io.open, Server.client


class _PointedFile(io.FileIO):
    def __init__(self, points: Points, file, mode, closefd, opener) -> None:
        self._points = points
        points.reach("open, before")
        super().__init__(file, mode, closefd, opener)
        points.reach("open, after")

    def write(self, content) -> int:
        content = memoryview(content).cast("B")
        self._points.reach("write, before")
        half = len(content) // 2
        written = super().write(content[:half])
        self._points.reach("write, amid")
        written += super().write(content[half:])
        self._points.reach("write, after")
        return written


class _PointedClient:
    def __init__(self, points: Points, client) -> None:
        self._points, self._client = points, client

    def __getattr__(self, name: str):
        return self._points.around(f"MLflow {name}", getattr(self._client, name))


def _error(name: str) -> Exception:
    if not name.startswith("MLflow"):
        return OSError(errno.EIO, "Input/output error", name)
    from mlflow.exceptions import MlflowException

    return MlflowException(f"The answer of {name} was lost")


@contextmanager
def fail_points(fault: Fault | None = None) -> Iterator[list[str]]:
    """The names of the points that this process has passed within the block, with a fault at one of them."""
    points = Points(fault)
    client = functools.cached_property(lambda server: _PointedClient(points, _CLIENT.func(server)))
    client.__set_name__(Server, "client")
    with (
        patch.object(Server, "client", client),
        patch.multiple(os, **{name: points.around(name, getattr(os, name)) for name in CALLS}),
        patch.object(fcntl, "flock", points.around("flock", fcntl.flock)),
        patch.object(io, "open", points.opened),
        patch.object(builtins, "open", points.opened),
        patch.object(s3fs.S3FileSystem, "_call_s3", points.around_request(s3fs.S3FileSystem._call_s3)),
    ):
        yield points.passed


def write_passed(path: Path, passed: list[str]) -> None:
    """Write the names of points into a file, one a line."""
    path.write_text("\n".join(passed), encoding="utf-8")
