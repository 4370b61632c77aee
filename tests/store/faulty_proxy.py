"""A proxy in front of a server that fails as it is told: refuses, breaks off, loses answers, or says nothing."""

import http.client
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
ERROR = b"<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>"


class Faults:
    """The requests that fail: every `every`-th of the method `method`, as `kind` says; and how many have."""

    def __init__(self, kind: str, every: int, method: str = "") -> None:
        self.kind, self.every, self.method = kind, every, method
        self.count = self._seen = 0
        self._counting = threading.Lock()

    def next(self, method: str) -> str:
        """The way in which this request fails; empty where it does not."""
        with self._counting:
            if not self.every or (self.method and method != self.method):
                return ""
            self._seen += 1
            if self._seen % self.every:
                return ""
            self.count += 1
            return self.kind


@contextmanager
def faulty_proxy(address: str, faults: Faults) -> Iterator[str]:
    """The address of a proxy of the server at `address`, for as long as the block lasts."""
    host = urlsplit(address).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kind = faults.next(self.command)
            if kind in ("503", "500"):
                self.answer(int(kind), {}, SLOW_DOWN if kind == "503" else ERROR)
            elif kind == "reset":
                self.reset()
            elif kind == "silence":
                time.sleep(3)
                self.reset()
            else:
                self.forward(body, kind)

        do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = pass_on

        def forward(self, body: bytes, kind: str) -> None:
            server = http.client.HTTPConnection(host, timeout=60)
            headers = {name: value for name, value in self.headers.items() if name.lower() != "expect"}
            server.request(self.command, self.path, body, headers)
            response = server.getresponse()
            content = response.read()
            if kind == "lost answer":
                self.reset()
                return
            self.answer(response.status, dict(response.getheaders()), content, cut=kind == "cut")

        def answer(self, status: int, headers: dict[str, str], content: bytes, *, cut: bool = False) -> None:
            self.send_response(status)
            kept = {
                name: value for name, value in headers.items() if name.lower() not in ("connection", "date", "server")
            }
            kept.setdefault("Content-Length", str(len(content)))
            for name, value in kept.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content[: len(content) // 2] if cut else content)
            if cut:
                self.reset()

        def reset(self) -> None:
            self.wfile.flush()
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()

        def handle(self) -> None:
            with suppress(OSError, ValueError):  # the client or we have broken off
                super().handle()

        def finish(self) -> None:
            with suppress(OSError, ValueError):
                super().finish()

        def log_message(self, *what: object) -> None:
            """Say nothing."""

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=proxy.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{proxy.server_address[1]}"
    finally:
        proxy.shutdown()
        proxy.server_close()
