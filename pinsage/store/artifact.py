"""Artifacts: folders named by what made them, published whole or not at all.

`artifacts/<stage>/<key>/` appears at one moment, when all of its files are there, so a reader sees all of it or none,
and of two attempts at the same key the first to publish wins. Here in a folder; in `remote_artifacts.py` behind a URL.
"""

import errno
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

from pinsage.errors import ArtifactDamagedError, ArtifactMissingError
from pinsage.store import manifest as manifests
from pinsage.store.atomic import sync
from pinsage.store.drafts import abandoned_drafts, draft_folder
from pinsage.store.manifest import Facts, Manifest

REMOVED = ".removed-"


@dataclass(frozen=True)
class Artifact:
    """A published, verified artifact; `folder` is on this host."""

    folder: Path
    manifest: Manifest


@dataclass
class Draft:
    """An artifact being written: fill `folder` with files and `facts` with what is worth knowing."""

    folder: Path
    facts: Facts


class ArtifactStore(ABC):
    """Published artifacts, and the drafts of those to come in `drafts`, a folder of this host per stage."""

    def __init__(self, drafts: Path) -> None:
        self._drafts = drafts

    @abstractmethod
    def has(self, stage: str, key: str) -> bool:
        """Return whether that artifact has been published."""

    @abstractmethod
    def folder(self, stage: str, key: str) -> Path:
        """The folder of a published artifact on this host; its files are not looked at.

        Raises:
            ArtifactMissingError: nothing was published under this key.
            ArtifactDamagedError: it does not match its manifest, where that was seen on the way.
            StoreError: the store cannot be reached or refused.
        """

    def open(self, stage: str, key: str) -> Artifact:
        """The artifact, after every file's checksum agreed with its manifest.

        Raises:
            ArtifactMissingError: nothing was published under this key.
            ArtifactDamagedError: a file does not match the manifest.
            StoreError: the store cannot be reached or refused.
        """
        try:
            folder = self.folder(stage, key)
            manifest = Manifest.read(folder)
            manifests.verify(folder, manifest)
        except ArtifactDamagedError:
            # Retention may have removed it between two reads, which is no damage.
            if self.has(stage, key):
                raise
            raise ArtifactMissingError(
                f"{stage}/{key} was removed while it was being read. Run the stage '{stage}' again."
            ) from None
        return Artifact(folder, manifest)

    @abstractmethod
    def remove(self, stage: str, key: str, is_wanted: Callable[[], bool]) -> bool:
        """Make an artifact invisible, then remove its files; return whether it is gone.

        Args:
            stage: its stage.
            key: its key.
            is_wanted: asked before and again once it is invisible; it stays, or comes back, where somebody wants it.
        """

    @contextmanager
    def publish(self, recipe: Manifest) -> Iterator[Draft]:
        """A draft folder that becomes the artifact of `recipe` when the block ends without an exception.

        If another attempt publishes the same key first, its artifact stands and this draft is discarded.
        """
        self.clear_away(recipe.stage)
        with draft_folder(self._drafts / recipe.stage, recipe.key) as folder:
            draft, started = Draft(folder, {}), time.monotonic()
            yield draft
            seconds = round(time.monotonic() - started, 3)
            # Of the files as they lie on the disk, not of what was to be written.
            files = manifests.file_entries(folder)
            self._let_stand(folder, replace(recipe, files=files, facts=draft.facts, seconds=seconds))

    def clear_away(self, stage: str) -> None:
        """Remove what attempts at a stage have left that are dead; `publish` does so before it begins."""
        with abandoned_drafts(self._drafts / stage) as abandoned:
            self._clear_away(stage, abandoned)

    @abstractmethod
    def _let_stand(self, draft: Path, manifest: Manifest) -> None:
        """Publish the files of a draft, unless the key has been published."""

    @abstractmethod
    def _clear_away(self, stage: str, abandoned: list[tuple[str, str]]) -> None:
        """Remove what dead attempts, each a key and an attempt, have left behind beside their drafts."""


class FolderArtifacts(ArtifactStore):
    """The artifacts below one folder: a draft is renamed to its place."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.root = root

    def has(self, stage: str, key: str) -> bool:
        """Return whether that artifact has been published."""
        # The manifest is written last, so its being there means that all files are.
        return (self.root / stage / key / manifests.NAME).is_file()

    def folder(self, stage: str, key: str) -> Path:
        """The folder of a published artifact.

        Raises:
            ArtifactMissingError: nothing was published under this key.
        """
        folder = self.root / stage / key
        if not self.has(stage, key):
            raise ArtifactMissingError(f"{folder} does not exist. Run the stage '{stage}' first.")
        return folder

    def remove(self, stage: str, key: str, is_wanted: Callable[[], bool]) -> bool:
        """Make an artifact invisible by renaming it, then remove its files; return whether it is gone."""
        folder = self.root / stage / key
        removed = folder.with_name(f"{REMOVED}{key}-{uuid4().hex[:12]}")
        if is_wanted():
            return False
        # The whole folder at once: one without its manifest would keep the next attempt from publishing there.
        with suppress(FileNotFoundError):
            folder.rename(removed)
        if is_wanted():
            with suppress(OSError):  # made anew meanwhile
                removed.rename(folder)
        shutil.rmtree(removed, ignore_errors=True)
        return not self.has(stage, key)

    def _let_stand(self, draft: Path, manifest: Manifest) -> None:
        (draft / manifests.NAME).write_text(manifest.to_json(), encoding="utf-8")
        # Files before the folders that name them: after a power cut a name must not lead to missing bytes.
        for path in sorted(draft.rglob("*"), reverse=True):
            sync(path)
        sync(draft)
        final = self.root / manifest.stage / manifest.key
        try:
            draft.rename(final)
        except OSError as error:
            # Somebody else has published the same key, which holds the same bytes: theirs stands.
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
        sync(final.parent)

    def _clear_away(self, stage: str, abandoned: list[tuple[str, str]]) -> None:
        """Do nothing: a draft is all there is."""
