"""The places that settings may name: folders, files and servers that the owner of a deployment allows.

Whoever may start a run chooses paths and URLs that a stage then opens with the rights of the deployment.
PINSAGE_ALLOWED lists what may be chosen: absolute folders and beginnings of URLs, with commas between them. The data
folder, and what the deployment's own preset (PINSAGE_CONFIG) names, are always allowed. Without the variable everything
is: a person at a shell has no more rights in a stage than beside it.
"""

import os
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from pinsage.errors import SettingsError
from pinsage.settings.loading import flat, load_settings
from pinsage.settings.schema import Settings

ALLOWED = "PINSAGE_ALLOWED"
PLACES = ("data.dataset", "visual.weights", "cluster.address", "tracking.uri", "promote.canaries")


def check_places(settings: Settings, home: Path) -> None:
    """Return if every place that the settings name is allowed, and none holds a password. Nothing is opened.

    Args:
        settings: of a run.
        home: the data folder.

    Raises:
        SettingsError: the setting, and how its place can be allowed.
    """
    listed = os.environ.get(ALLOWED)
    own = {} if listed is None else _places_named(load_settings(os.environ.get("PINSAGE_CONFIG")))
    allowed = [home, *_entries(listed or "")]
    for name, place in _places_named(settings).items():
        if _holds_password(place):
            raise SettingsError(
                f"{name} is a URL with a password, which would be shown wherever settings are. Give it to the stages "
                "by a variable of its library instead, e.g. AWS_SECRET_ACCESS_KEY or MLFLOW_TRACKING_PASSWORD."
            )
        if listed is not None and place != own.get(name) and not _is_allowed(place, allowed):
            raise SettingsError(
                f"{name} = {place!r} is outside of what this deployment allows. "
                f"Its owner can add the folder, or the beginning of the URL, to {ALLOWED}, and start it again."
            )


def _places_named(settings: Settings) -> dict[str, str]:
    values = flat(settings)
    return {name: values[name] for name in PLACES if values[name]}


def _holds_password(place: str) -> bool:
    try:
        return urlsplit(place).password is not None
    except ValueError:  # no URL at all: whatever opens it says so
        return False


def _entries(allowed: str) -> list[Path | str]:
    texts = [text.strip() for text in allowed.split(",") if text.strip()]
    return [text if "://" in text else Path(text) for text in texts]


def _is_allowed(place: str, allowed: list[Path | str]) -> bool:
    folder = _local(place)
    if folder is None:
        # One layer on top of another (zip://x::file:///etc) opens more than its beginning says.
        return "::" not in place and any(isinstance(entry, str) and place.startswith(entry) for entry in allowed)
    return any(isinstance(entry, Path) and folder.is_relative_to(entry.resolve()) for entry in allowed)


def _local(place: str) -> Path | None:
    """The path of a local place, with its links followed; None for a server."""
    scheme, has_scheme, rest = place.partition("://")
    if not has_scheme:
        return Path(place).resolve()
    if scheme in ("file", "local"):
        return Path(url2pathname(rest)).resolve()
    if scheme == "sqlite":  # three slashes before a relative path, four before an absolute one
        return Path(rest.removeprefix("/")).resolve()
    return None
