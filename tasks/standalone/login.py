"""The one user of the servers on this machine: a name, and a password made at the first start.

Loopback is open to every user of a machine, and a web page in a browser can reach it too: without a login either could
start runs and read what the owner may read.
"""

import json
import os
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from pinsage.errors import SettingsError
from tasks.following.airflow_api import User

USER = "pinsage"
_FILE = "login.json"
_SECRET = re.compile(rb"[A-Za-z0-9_-]{86}")  # 64 bytes as URL-safe base64


@dataclass(frozen=True)
class Login:
    """The user of a deployment. `file` holds name and password, as Airflow's simple login reads them."""

    user: User
    file: Path
    is_new: bool = field(default=False, compare=False)


def login_of(home: Path) -> Login:
    """The login of the deployment in `home`, made if there is none; only the owner may read it.

    Raises:
        SettingsError: its file holds something else.
    """
    found = find_login(home)
    if found:
        return found
    home.mkdir(parents=True, exist_ok=True)
    user = User(USER, secrets.token_urlsafe(15))
    write_secret(home / _FILE, json.dumps({user.name: user.password}) + "\n")
    return Login(user, home / _FILE, is_new=True)


def find_login(home: Path) -> Login | None:
    """The login of the deployment in `home`, or None where none was made.

    Raises:
        SettingsError: its file holds something else.
    """
    path = home / _FILE
    if not path.is_file():
        return None
    try:
        password = json.loads(path.read_text(encoding="utf-8"))[USER]
    except (ValueError, KeyError, TypeError):
        password = None
    if not isinstance(password, str) or not password:
        raise SettingsError(f"{path} holds no password of the user '{USER}'. Remove it: the next start makes another.")
    return Login(User(USER, password), path)


def login_at(url: str, home: Path) -> User | None:
    """The user of the deployment in `home` for an address on this machine; none for any other: a password stays here.

    Raises:
        SettingsError: as `find_login`.
    """
    is_here = urlsplit(url).hostname in ("127.0.0.1", "localhost")
    found = find_login(home) if is_here else None
    return found.user if found else None


def secret(path: Path) -> str:
    """The random text in `path`, made at the first call, or anew if it is damaged; only the owner may read it.

    What was signed with another one is not known any more: whoever is logged in has to log in again.
    """
    found = path.read_bytes() if path.is_file() else b""
    if not _SECRET.fullmatch(found):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_secret(path, secrets.token_urlsafe(64))
        found = path.read_bytes()
    return found.decode("ascii")


def write_secret(path: Path, text: str) -> None:
    """Write a file that nobody but the owner can read, not even while it is written."""
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
