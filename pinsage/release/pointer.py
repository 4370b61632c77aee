"""The file CURRENT: which release serves, and which served before."""

import json
import re
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime

from pinsage.errors import ArtifactDamagedError
from pinsage.store.sealed import seal, unseal

VERSION = re.compile(r"\d{8}T\d{6}Z-v\d+-[0-9a-f]{8}")
MOST_PREVIOUS = 50


@dataclass(frozen=True)
class Pointer:
    """The content of CURRENT.

    Attributes:
        version: the release that serves.
        previous: those that served before it, the newest first: where a rollback goes.
        withdrawn: those that a rollback took out of service.
        since: when it was moved.
    """

    version: str
    previous: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()
    since: str = ""

    @classmethod
    def parse(cls, content: bytes, shown_as: str) -> "Pointer":
        """The pointer in the content of a file.

        Raises:
            ArtifactDamagedError: it is no pointer; the message calls the file `shown_as`.
        """
        try:
            raw = unseal(json.loads(content), {each.name for each in fields(cls)})
            names = (raw["version"], *raw["previous"], *raw["withdrawn"])
            if not all(VERSION.fullmatch(name) for name in names):
                raise ValueError(f"{names} are not all versions")
            return cls(names[0], tuple(raw["previous"]), tuple(raw["withdrawn"]), str(raw["since"]))
        except (ValueError, TypeError) as error:
            raise ArtifactDamagedError(
                f"{shown_as} cannot be read ({error}). Name a good version: pinsage release rollback VERSION."
            ) from None

    def to_json(self) -> bytes:
        """The pointer as the content of its file."""
        return (json.dumps(seal(asdict(self)), indent=1) + "\n").encode()

    @classmethod
    def first(cls, version: str) -> "Pointer":
        """A pointer to a release that none served before."""
        return cls(version, since=_now())

    def after_release(self, version: str) -> "Pointer":
        """The pointer after a new release."""
        previous = tuple(name for name in (self.version, *self.previous) if name != version)
        return Pointer(version, previous[:MOST_PREVIOUS], self.withdrawn, _now())

    def after_rollback(self, version: str) -> "Pointer":
        """The pointer after a rollback: what served since `version` did is withdrawn, and no rollback goes there."""
        served = (self.version, *self.previous)
        place = served.index(version) if version in served else 0
        withdrawn = (*served[:place], *(name for name in self.withdrawn if name != version))
        previous = served[place + 1 :] if version in served else served
        return Pointer(version, previous[:MOST_PREVIOUS], withdrawn[:MOST_PREVIOUS], _now())

    def has_served(self, version: str) -> bool:
        """Return whether a version serves, or has served."""
        return version in (self.version, *self.previous, *self.withdrawn)


def order(version: str) -> tuple[str, int, str]:
    """The place of a version among others: by its time, then by the number of its model."""
    time, number, key = version.split("-")
    return time, int(number[1:]), key


def _now() -> str:
    # Finer than anybody reads: a pointer that went away and came back is another one, see `Releases.unless_moved`.
    return datetime.now(UTC).isoformat(timespec="microseconds")
