"""JSON objects with a checksum of their own: a flipped bit is damage, and never another run, release or checkpoint."""

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

CHECKSUM = "checksum"


def seal(body: Mapping[str, Any]) -> dict[str, Any]:
    """The object with the SHA-256 of its values, in hex, as one more value."""
    return {**body, CHECKSUM: _checksum(body)}


def unseal(raw: Any, keys: Collection[str]) -> dict[str, Any]:
    """The object in what JSON gave for a sealed one.

    Args:
        raw: the value of the whole file.
        keys: those of the object. A file of an earlier version, with these and no checksum, is taken as it is; a bit
            that flips in the name of the checksum leaves a name that is none of them.

    Raises:
        ValueError: it is no object, has other keys, or does not match its own checksum.
    """
    if not isinstance(raw, dict):
        raise ValueError(f"it is a {type(raw).__name__} instead of an object")
    body = {key: value for key, value in raw.items() if key != CHECKSUM}
    for key in sorted(body.keys() ^ set(keys)):
        raise ValueError(f"{key!a} is {'missing' if key in keys else 'unknown'}")
    if CHECKSUM in raw and raw[CHECKSUM] != _checksum(body):
        raise ValueError("it does not match its own checksum")
    return body


def _checksum(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
