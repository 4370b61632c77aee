"""A real S3 server as a process of its own on loopback (moto's), and the environment in which clients find it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import requests


@dataclass(frozen=True)
class S3Server:
    """A server and the address it answers at."""

    address: str

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which fsspec's S3 finds the server and its credentials."""
        return {
            "AWS_ENDPOINT_URL": self.address,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def make_bucket(self, name: str) -> str:
        """The URL of a new, empty bucket."""
        requests.put(f"{self.address}/{name}", timeout=120).raise_for_status()
        return f"s3://{name}"


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """The server, for as long as the block lasts."""
    pytest.importorskip("moto")
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    quiet = subprocess.DEVNULL
    server = S3Server(f"http://127.0.0.1:{port}")
    with subprocess.Popen(
        command, stdout=quiet, stderr=quiet, env={**os.environ, "MOTO_S3_CUSTOM_ENDPOINTS": ""}
    ) as child:
        try:
            _await(server.address, child)
            yield server
        finally:
            child.kill()


def free_port() -> int:
    """A port of loopback where nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _await(address: str, child: "subprocess.Popen[bytes]") -> None:
    for _ in range(600):
        assert child.poll() is None, "the S3 server ended by itself"
        try:
            requests.get(address, timeout=120)
        except requests.ConnectionError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError("the S3 server does not answer")
