"""Files that only their owner can read: data of users, models made of them, logs."""

import os

from pinsage.errors import SettingsError

UMASK = "PINSAGE_UMASK"
_OWNER_ONLY = "077"


def keep_files_private() -> None:
    """Let what this process and its children create be the owner's alone, or what PINSAGE_UMASK says (octal).

    Raises:
        SettingsError: the variable is no umask.
    """
    text = os.environ.get(UMASK) or _OWNER_ONLY
    if not text or set(text) - set("01234567") or int(text, 8) > 0o777:
        raise SettingsError(f"{UMASK} is '{text}', not a umask. Give three octal digits, e.g. 027 for a group.")
    os.umask(int(text, 8))
