"""The manifest of a published artifact: its files with checksums, and what made it."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from pinsage.errors import ArtifactDamagedError
from pinsage.store.machine import is_machine_fault
from pinsage.store.sealed import seal, unseal

NAME = "manifest.json"
ATTEMPT = "attempt"  # beside the checksum, in the manifest of a remote artifact
Fact = str | int | float | bool | None
Facts = dict[str, Fact]


@dataclass(frozen=True)
class FileEntry:
    """One file of an artifact: its path inside the folder, its size and its SHA-256."""

    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """Identity and content of one artifact; `facts` are what its stage had to say."""

    stage: str
    key: str
    version: int
    config: dict[str, Any]
    inputs: dict[str, str]
    identity: dict[str, Any]
    code_version: str
    files: list[FileEntry] = field(default_factory=list)
    facts: Facts = field(default_factory=dict)
    seconds: float = 0.0

    def to_json(self) -> str:
        """The manifest as the text of its file, with a checksum of its own."""
        return json.dumps(seal(asdict(self)), indent=1, sort_keys=True) + "\n"

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """The manifest of an artifact folder.

        Raises:
            ArtifactDamagedError: it is missing, is not a manifest, or a value was changed.
        """
        try:
            content = (folder / NAME).read_bytes()
        except OSError as error:
            if is_machine_fault(error):
                raise
            raise _unreadable(str(folder / NAME), error) from None
        return cls.parse(content, str(folder / NAME))

    @classmethod
    def parse(cls, content: bytes, shown_as: str) -> "Manifest":
        """The manifest whose file has this content; the error names the file as `shown_as`.

        Raises:
            ArtifactDamagedError: it is not a manifest, or a value was changed.
        """
        try:
            raw = json.loads(content)
            names = {each.name for each in fields(cls)}
            body = unseal({name: value for name, value in raw.items() if name != ATTEMPT}, names)
            return cls(**{**body, "files": [FileEntry(**entry) for entry in body["files"]]})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise _unreadable(shown_as, error) from None


def named_attempt(content: bytes) -> str:
    """The attempt that the manifest of a remote artifact names; empty where it names none or cannot be read."""
    try:
        return str(json.loads(content)[ATTEMPT])
    except (ValueError, TypeError, KeyError):
        return ""


def artifact_key(
    stage: str, version: int, config: dict[str, Any], inputs: dict[str, str], identity: dict[str, Any]
) -> str:
    """20 hex digits that name a stage's output by everything that decides its bytes."""
    # Keys sorted and no spaces below: the text, and so the key, does not depend on the order of a dictionary.
    recipe = {"stage": stage, "version": version, "config": config, "inputs": inputs, "identity": identity}
    return hashlib.sha256(json.dumps(recipe, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:20]


def file_entries(folder: Path) -> list[FileEntry]:
    """Every file below `folder` except the manifest, by path, with size and checksum."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / NAME)
    return [FileEntry(str(path.relative_to(folder)), path.stat().st_size, file_sha256(path)) for path in paths]


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(folder: Path, manifest: Manifest, *, shown_as: str = "") -> None:
    """Check every file of an artifact against its manifest.

    Args:
        folder: the files.
        manifest: what they should be.
        shown_as: the place that the error names, where that is not `folder`.

    Raises:
        ArtifactDamagedError: a file is missing, has another size or another checksum.
    """
    for entry in manifest.files:
        path, place = folder / entry.path, shown_as or str(folder)
        size = path.stat().st_size if path.is_file() else None
        # The size first: a file cut short is told without reading gigabytes.
        if size != entry.size_bytes:
            found = f"{size} bytes" if size is not None else "nothing"
            raise _damage_error(place, entry, found, f"{entry.size_bytes} bytes")
        # Not the time of the file: copies keep the bytes and change the times.
        if file_sha256(path) != entry.sha256:
            raise _damage_error(place, entry, "other bytes", f"sha256 {entry.sha256[:12]}…")


def _damage_error(place: str, entry: FileEntry, found: str, expected: str) -> ArtifactDamagedError:
    return ArtifactDamagedError(
        f"{place}/{entry.path} holds {found} where its manifest says {expected}. "
        f"Delete {place}; the next run makes it again."
    )


def _unreadable(file: str, error: Exception) -> ArtifactDamagedError:
    return ArtifactDamagedError(f"{file} cannot be read ({error}). Delete its folder; the next run makes it again.")
