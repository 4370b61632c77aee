"""The releases of a deployment: published whole, pointed at by CURRENT after they were verified, taken back.

`releases/<version>/` is published like an artifact. `releases/CURRENT` is one small file that is replaced at once, so a
reader finds the old version or the new one; whatever fails before that leaves the old one serving.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pinsage.errors import ArtifactDamagedError, ArtifactMissingError, InputError, ReleaseMovedError
from pinsage.release.contents import ModelVersion, ReleaseParts, write_contents
from pinsage.release.pointer import VERSION, Pointer, order
from pinsage.release.release import Release
from pinsage.release.verification import verify_manifest
from pinsage.store import manifest as manifests
from pinsage.store.deployment import Store
from pinsage.store.manifest import Manifest

log = logging.getLogger(__name__)
STAGE, CURRENT = "releases", "CURRENT"
Checked = TypeVar("Checked")
FORMAT = 1  # of the files of a release


class Releases:
    """The releases of a deployment's store."""

    def __init__(self, store: Store) -> None:
        self._artifacts, self._bucket, self._is_remote = store.releases, store.bucket(STAGE), store.is_remote

    def __str__(self) -> str:
        return str(self._bucket)

    def folder(self, version: str) -> Path:
        """The folder of a version on this host; its files are not looked at.

        Raises:
            InputError: it is no name of a version.
            ArtifactMissingError: there is no such release.
        """
        # A version becomes a folder's name: nothing that could lead out of the releases passes.
        if not VERSION.fullmatch(version):
            raise InputError(f"'{version}' is no release. `pinsage release list` shows what there is.")
        if not self._artifacts.has(STAGE, version):
            raise ArtifactMissingError(f"There is no release {version}. `pinsage release list` shows what there is.")
        return self._artifacts.folder(STAGE, version)

    def versions(self) -> list[str]:
        """All releases, the newest first."""
        found = [name.split("/") for name in self._bucket.names()]
        names = {parts[0] for parts in found if len(parts) == 2 and parts[1] == manifests.NAME}
        return sorted(filter(VERSION.fullmatch, names), key=order, reverse=True)

    def manifest(self, version: str) -> Manifest:
        """The manifest of a release; its files are not looked at.

        Raises:
            ArtifactDamagedError: it cannot be read.
        """
        name = f"{version}/{manifests.NAME}"
        return Manifest.parse(self._bucket.read(name) or b"", f"{self}/{name}")

    def open(self, version: str) -> Release:
        """The release of a version, after the files it serves were verified.

        Raises:
            InputError, ArtifactMissingError: as `folder`.
            ArtifactDamagedError: a file is missing or is not what was published.
        """
        return self._check(version, lambda folder: Release.open(folder, version))

    def verify(self, version: str) -> Manifest:
        """The manifest of a version, after every file was verified.

        Raises:
            InputError, ArtifactMissingError, ArtifactDamagedError: as `open`.
        """
        return self._check(version, lambda folder: verify_manifest(folder, version))

    def current(self) -> Pointer:
        """The pointer to the release that serves.

        Raises:
            ArtifactMissingError: nothing has been released.
            ArtifactDamagedError: CURRENT is no pointer.
        """
        return self._parse(self._bucket.read(CURRENT))

    def find(self, model: ModelVersion, index_key: str = "") -> str | None:
        """The newest release of a model version, and of an index where its key is given; None if there is none."""
        for version in self.versions():
            with suppress(ArtifactDamagedError):  # which is no release any more, and keeps no other from being one
                facts = self.manifest(version).facts
                if model.made(facts) and index_key in ("", facts.get("index_key")):
                    return version
        return None

    def predecessor_of(self, index_key: str) -> str:
        """The version that a release of an index replaces, or has replaced: the last to serve that is of another index.

        Releases that are gone or damaged are passed over, since a new model must be able to follow them. Empty if none
        is left.
        """
        pointer = self._pointer_or_none()
        for version in (pointer.version, *pointer.previous) if pointer else ():
            try:
                if self.manifest(version).facts.get("index_key") != index_key:
                    self.verify(version)
                    return version
            except (ArtifactMissingError, ArtifactDamagedError) as error:
                log.warning("release %s cannot be compared with: %s", version, error)
        return ""

    def has_served(self, version: str) -> bool:
        """Return whether CURRENT names a version, or has named it."""
        pointer = self._pointer_or_none()
        return pointer is not None and pointer.has_served(version)

    def publish(self, parts: ReleaseParts, code_version: str) -> str:
        """Publish a release, without pointing at it; returns its version.

        A version is the time of its making in UTC, the number of the model and the begin of the index's key: it sorts,
        and two that are made in the same second have the same name only if they answer the same.

        Raises:
            InputError: the parts do not belong together.
            DiskFullError: the disk has no room for it.
        """
        version = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-v{parts.model.number}-{parts.index_key[:8]}"
        inputs = {stage: Manifest.read(folder).key for stage, folder in parts.inputs.items()}
        recipe = Manifest(STAGE, version, FORMAT, {}, inputs, {}, code_version)
        with self._artifacts.publish(recipe) as draft:
            draft.facts.update(write_contents(parts, version, draft.folder))
        return version

    def clear_away(self) -> None:
        """Remove what dead attempts at a release have left; `publish` does so before it begins."""
        self._artifacts.clear_away(STAGE)

    def point(self, version: str, is_wanted: Callable[[], bool] = lambda: True) -> bool:
        """Verify a release and let CURRENT name it; returns whether it does.

        Args:
            version: a published release.
            is_wanted: asked at the last moment, while nobody else moves CURRENT: of two releases at once the one whose
                model is no champion any more must not follow the other.

        Raises:
            ArtifactDamagedError: the release is not what was published; CURRENT stays.
        """
        self.verify(version)
        with self._only_mover():
            while True:
                content = self._bucket.read(CURRENT)
                before = self._parse_or_none(content)
                if before and before.version == version:
                    return True
                if not is_wanted():  # after the reading: a move since then is seen by the exchange
                    return False
                pointer = before.after_release(version) if before else Pointer.first(version)
                if self._bucket.exchange(CURRENT, content, pointer.to_json()):
                    return True

    def unless_moved(self, is_wanted: Callable[[], bool]) -> Callable[[], bool]:
        """`is_wanted` for `point`, which stops an attempt that has slept while others moved CURRENT.

        The function that is returned raises a ReleaseMovedError where a release is wanted and CURRENT is not any more
        what it was when this was called.
        """
        seen = self._bucket.read(CURRENT)

        def is_wanted_still() -> bool:
            if not is_wanted():
                return False
            if self._bucket.read(CURRENT) != seen:
                raise ReleaseMovedError(
                    f"{self}/{CURRENT} was moved while this release was made, and is left as it is. "
                    "Run the stage again: it decides on what serves now."
                )
            return True

        return is_wanted_still

    def roll_back(self, version: str = "") -> Pointer:
        """Let CURRENT name an earlier release, after verifying it: `version`, or the one that served before.

        Raises:
            ArtifactMissingError: there is no such release, or none that served before.
            ArtifactDamagedError: it is not what was published; CURRENT stays.
        """
        with self._only_mover():
            while True:
                content = self._bucket.read(CURRENT)
                before = self._parse_or_none(content) if version else self.current()
                target = version or self._before(self.current())
                self.verify(target)
                pointer = before.after_rollback(target) if before else Pointer.first(target)
                if self._bucket.exchange(CURRENT, content, pointer.to_json()):
                    return pointer

    def prune(self, keep: int) -> list[str]:
        """Remove all but the newest `keep` releases, the current one and the one before it; returns the removed."""
        with self._only_mover():
            removed = self.surplus(keep)
            for version in removed:
                self._bucket.remove(f"{version}/{manifests.NAME}")  # first: half a release must not be found
                self._bucket.remove(version)
        return removed

    def surplus(self, keep: int) -> list[str]:
        """The releases that `prune` would remove.

        Raises:
            ArtifactMissingError, ArtifactDamagedError: as `current`, without which nobody knows what serves.
        """
        pointer, versions = self.current(), self.versions()
        kept = {*versions[:keep], pointer.version, *pointer.previous[:1]}
        return [version for version in versions if version not in kept]

    def _check(self, version: str, check: Callable[[Path], Checked]) -> Checked:
        folder = self.folder(version)
        try:
            return check(folder)
        except ArtifactDamagedError:
            if not self._is_remote:
                raise
            # The copy on this host may be what is damaged: it is fetched again then, and the store has the last word.
            return check(self._artifacts.open(STAGE, version).folder)

    def _before(self, pointer: Pointer) -> str:
        for version in pointer.previous:
            if self._artifacts.has(STAGE, version):
                return version
        raise ArtifactMissingError(
            f"No release served before {pointer.version}. `pinsage release list` shows what there is."
        )

    def _pointer_or_none(self) -> Pointer | None:
        """The pointer; None where there is none yet, or where it is damaged, since it is replaced then."""
        return self._parse_or_none(self._bucket.read(CURRENT))

    def _parse_or_none(self, content: bytes | None) -> Pointer | None:
        try:
            return self._parse(content)
        except (ArtifactMissingError, ArtifactDamagedError):
            return None

    def _parse(self, content: bytes | None) -> Pointer:
        if content is None:
            raise ArtifactMissingError(
                f"Nothing has been released yet: {self} has no {CURRENT}. A run whose model becomes champion does that."
            )
        return Pointer.parse(content, f"{self}/{CURRENT}")

    def _only_mover(self) -> AbstractContextManager[None]:
        return self._bucket.hold(".lock")
