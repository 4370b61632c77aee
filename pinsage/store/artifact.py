"""Artifacts: folders named by what made them, published whole or not at all.

`artifacts/<stage>/<key>/` appears by one rename of a staging folder whose files and manifest are already on disk, so a
reader sees all of it or none, and of two attempts at the same key the first to rename wins.
"""

import errno
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pinsage.errors import ArtifactMissingError
from pinsage.store import manifest as manifests
from pinsage.store.atomic import sync
from pinsage.store.disk import full_disk_named
from pinsage.store.lock import hold_lock, try_lock
from pinsage.store.manifest import Facts, Manifest

STAGING = ".staging-"
LOCK = ".lock"


@dataclass(frozen=True)
class Artifact:
    """A published, verified artifact."""

    folder: Path
    manifest: Manifest


@dataclass
class Draft:
    """An artifact being written: fill `folder` with files and `facts` with what is worth knowing."""

    folder: Path
    facts: Facts


class ArtifactStore:
    """The artifacts below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, stage: str, key: str) -> Path:
        """The folder of the artifact of `stage` with `key`, published or not."""
        return self.root / stage / key

    def has(self, stage: str, key: str) -> bool:
        """Return whether that artifact has been published."""
        return (self.folder(stage, key) / manifests.NAME).is_file()

    def open(self, stage: str, key: str) -> Artifact:
        """The artifact, after every file's checksum agreed with its manifest.

        Raises:
            ArtifactMissingError: nothing was published under this key.
            ArtifactDamagedError: a file does not match the manifest.
        """
        folder = self.folder(stage, key)
        # The manifest is written last, so its being there means that all files are.
        if not self.has(stage, key):
            raise ArtifactMissingError(f"{folder} does not exist. Run the stage '{stage}' first.")
        manifest = Manifest.read(folder)
        manifests.verify(folder, manifest)
        return Artifact(folder, manifest)

    def manifests(self, stage: str) -> list[Manifest]:
        """The manifests of all published artifacts of a stage, by key; their files are not looked at.

        Raises:
            ArtifactDamagedError: a manifest cannot be read.
        """
        return [Manifest.read(path.parent) for path in sorted((self.root / stage).glob(f"[!.]*/{manifests.NAME}"))]

    @contextmanager
    def publish(self, recipe: Manifest) -> Iterator[Draft]:
        """A draft folder that becomes the artifact of `recipe` when the block ends without an exception.

        If another attempt publishes the same key first, its artifact stands and this draft is discarded.
        """
        parent = self.root / recipe.stage
        parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(parent)
        staging = parent / f"{STAGING}{recipe.key}-{uuid.uuid4().hex[:8]}"
        # A later attempt can tell by the lock whether this one lives, and removes what a dead one left.
        with full_disk_named(parent, "; nothing was published"), hold_lock(staging / LOCK):
            draft, started = Draft(staging / "content", {}), time.monotonic()
            draft.folder.mkdir()
            try:
                yield draft
                seconds = round(time.monotonic() - started, 3)
                self._seal(draft, replace(recipe, facts=draft.facts, seconds=seconds))
            finally:
                shutil.rmtree(staging, ignore_errors=True)

    def _seal(self, draft: Draft, recipe: Manifest) -> None:
        sealed = replace(recipe, files=manifests.file_entries(draft.folder))
        (draft.folder / manifests.NAME).write_text(sealed.to_json(), encoding="utf-8")
        # Files before the folders that name them: after a power cut a name must not lead to missing bytes.
        for path in sorted(draft.folder.rglob("*"), reverse=True):
            sync(path)
        sync(draft.folder)
        final = self.folder(recipe.stage, recipe.key)
        try:
            draft.folder.rename(final)
        except OSError as error:
            # Somebody else has published the same key, which holds the same bytes: theirs stands.
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
        sync(final.parent)


def _remove_abandoned(parent: Path) -> None:
    for staging in parent.glob(f"{STAGING}*"):
        with try_lock(staging / LOCK) as is_abandoned:
            if is_abandoned:
                shutil.rmtree(staging, ignore_errors=True)
