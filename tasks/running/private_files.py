"""Files that only their owner can read: data of users, models made of them, logs."""

import os
from pathlib import Path

from pinsage.errors import SettingsError

UMASK = "PINSAGE_UMASK"
_OWNER_ONLY = "077"


def keep_files_private() -> None:
    """Let what this process and its children create be the owner's alone, or what PINSAGE_UMASK says (octal).

    Raises:
        SettingsError: the variable is no umask.
    """
    os.umask(_umask())


def make_private_folder(folder: Path) -> None:
    """Make a folder that nobody else can look into; one that is there already is closed, and all below it with it.

    Raises:
        SettingsError: PINSAGE_UMASK is no umask.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o777 & ~_umask())


def _umask() -> int:
    text = os.environ.get(UMASK) or _OWNER_ONLY
    if set(text) - set("01234567") or int(text, 8) > 0o777:
        raise SettingsError(f"{UMASK} is '{text}', not a umask. Give three octal digits, e.g. 027 for a group.")
    return int(text, 8)
