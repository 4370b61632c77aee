"""Pip's places of packages for a build of images: the configuration of this machine, its folders served on loopback.

`configuration` prints a pip.conf; `serve` serves the folders that it names until it is ended.
"""

import http.server
import os
import re
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

PORT = 8099
OPTIONS = ("index-url", "extra-index-url", "find-links")


def places() -> dict[str, list[str]]:
    """Each option's places, as pip on this machine is told of them."""
    listing = subprocess.check_output([sys.executable, "-m", "pip", "config", "list"], text=True)
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"^[\w:]*\.([\w-]+)='(.*)'$", listing, re.MULTILINE):
        if name in OPTIONS:
            found.setdefault(name, []).extend(word for word in value.replace("\\n", " ").split())
    return {name: list(dict.fromkeys(words)) for name, words in found.items()}


def configuration() -> str:
    """A pip.conf in which a folder of this machine is an address on loopback."""
    lines = ["[global]"]
    for name, words in places().items():
        lines.append(f"{name} = {' '.join(address(word) for word in words)}")
    return "\n".join(lines) + "\n"


def address(place: str) -> str:
    """The place as a build on the host's network reaches it."""
    path = place.removeprefix("file://")
    return f"http://127.0.0.1:{PORT}{path}/" if path.startswith("/") else place


def serve() -> None:
    """Serve the folders that pip is told of, and those beside them that their pages link to, on loopback."""
    paths = [word.removeprefix("file://") for words in places().values() for word in words]
    with tempfile.TemporaryDirectory() as root:
        for path in paths:
            if path.startswith("/"):
                served = Path(path).parent if Path(path).name == "simple" else Path(path)
                link = Path(root) / str(served).lstrip("/")
                link.parent.mkdir(parents=True, exist_ok=True)
                if not link.exists():
                    os.symlink(served, link)
        handler = partial(http.server.SimpleHTTPRequestHandler, directory=root)
        http.server.ThreadingHTTPServer(("127.0.0.1", PORT), handler).serve_forever()


if __name__ == "__main__":
    serve() if sys.argv[1] == "serve" else sys.stdout.write(configuration())
